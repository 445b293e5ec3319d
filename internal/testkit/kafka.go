package testkit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka is a private Kafka broker that is its own controller (KRaft), in a
// folder of its own. Everything that it holds goes with Stop.
//
// It listens on two ports of the loopback: on one everybody may do everything;
// on the other, with TLS, one signs in and may do what Allow allowed.
type Kafka struct {
	daemon
	CA    string // file with the certificate (PEM) of its CA
	java  string
	files string

	port, secure, controller int

	topics atomic.Int64
}

// KafkaPassword is that of each user that Allow knows.
const KafkaPassword = "kafka secret"

const kafkaStartTimeout = 60 * time.Second

var sharedKafka struct {
	once sync.Once
	k    *Kafka
	err  error
}

// SharedKafka returns a broker that the tests of this process share; CleanUp
// ends it.
func SharedKafka(t testing.TB) *Kafka {
	t.Helper()
	sharedKafka.once.Do(func() { sharedKafka.k, sharedKafka.err = StartKafka(t) })
	if sharedKafka.err != nil {
		t.Fatal(sharedKafka.err)
	}
	return sharedKafka.k
}

// StartKafka makes a broker and starts it.
func StartKafka(t testing.TB) (*Kafka, error) {
	java, files, err := kafkaFiles()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "casm-kafka-")
	if err != nil {
		return nil, err
	}
	k := &Kafka{daemon: daemon{folder: folder}, java: java, files: files, CA: filepath.Join(folder, "ca.pem")}
	for _, port := range []*int{&k.port, &k.secure, &k.controller} {
		if *port, err = freePort(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
	}
	ca := NewCA(t, "Kafka's CA")
	pair := ca.Server("kafka")
	err = errors.Join(os.WriteFile(k.CA, ca.PEM, 0o600), k.configure(pair), k.format())
	if err == nil {
		err = k.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("temporary Kafka: %w", err), k.Stop())
	}
	return k, nil
}

func (k *Kafka) configure(pair Pair) error {
	inline := func(pem []byte) string { return strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", "\\n") }
	settings := map[string]string{
		"process.roles":             "broker,controller",
		"node.id":                   "1",
		"controller.quorum.voters":  fmt.Sprintf("1@127.0.0.1:%d", k.controller),
		"controller.listener.names": "CONTROLLER",
		"listeners": fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,SECURE://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d",
			k.port, k.secure, k.controller),
		"advertised.listeners":           fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,SECURE://127.0.0.1:%d", k.port, k.secure),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT",
		"log.dirs":                       filepath.Join(k.folder, "data"),
		// One that was killed may come back at once.
		"broker.session.timeout.ms":                        "1000",
		"broker.heartbeat.interval.ms":                     "200",
		"auto.create.topics.enable":                        "false",
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "1",
		"group.initial.rebalance.delay.ms":                 "0",
		"group.coordinator.threads":                        "1",
		"transaction.state.log.num.partitions":             "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"log.cleaner.dedupe.buffer.size":                   "8388608",

		"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":           "User:ANONYMOUS",
		"listener.name.secure.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		"listener.name.secure.plain.sasl.jaas.config": fmt.Sprintf(
			`org.apache.kafka.common.security.plain.PlainLoginModule required user_casm="%s" user_reader="%s";`, KafkaPassword, KafkaPassword),
		"listener.name.secure.scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"listener.name.secure.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"listener.name.secure.ssl.keystore.type":              "PEM",
		"listener.name.secure.ssl.keystore.certificate.chain": inline(pair.Cert),
		"listener.name.secure.ssl.keystore.key":               inline(pair.Key),
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s=%s\n", name, settings[name])
	}
	return os.WriteFile(k.config(), []byte(b.String()), 0o600)
}

func (k *Kafka) config() string { return filepath.Join(k.folder, "server.properties") }

// run is one of Kafka's programs.
func (k *Kafka) run(main string, args ...string) *exec.Cmd {
	cmd := exec.Command(k.java, append([]string{
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(k.files, "*"), main,
	}, args...)...)
	cmd.Dir = k.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return cmd
}

// format makes the folder of the broker's data: a copy of what an earlier run
// made, which saves the start of a Java machine.
func (k *Kafka) format() error {
	data, made := filepath.Join(k.folder, "data"), k.files+"-formatted"
	if _, err := os.Stat(made); err == nil {
		return os.CopyFS(data, os.DirFS(made))
	}
	id := base64.RawURLEncoding.EncodeToString([]byte("casm-test-kafka!"))
	if output, err := k.run("kafka.tools.StorageTool", "format", "-t", id, "-c", k.config()).CombinedOutput(); err != nil {
		return fmt.Errorf("format: %w\n%s", err, output)
	}
	next, err := os.MkdirTemp(filepath.Dir(k.files), "formatted-")
	if err != nil {
		return nil //nolint:nilerr // what cannot be kept is made anew
	}
	if os.CopyFS(next, os.DirFS(data)) != nil || os.Rename(next, made) != nil {
		return os.RemoveAll(next) // another one was quicker
	}
	return nil
}

// Start starts the broker that was killed, and waits until it answers.
func (k *Kafka) Start() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.launch(k.run("kafka.Kafka", k.config()), syscall.SIGKILL); err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.Address()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for until := time.Now().Add(kafkaStartTimeout); ; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		brokers, err := kadm.NewClient(cl).ListBrokers(ctx)
		cancel()
		if err == nil && len(brokers) == 1 {
			return nil
		}
		select {
		case <-k.process.ended:
			return fmt.Errorf("Kafka ended at its start: %s", k.Tail())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			return fmt.Errorf("Kafka does not answer: %w\n%s", err, k.Tail())
		}
	}
}

// Stop ends the broker and removes all that it held.
func (k *Kafka) Stop() error { return errors.Join(k.Kill(), os.RemoveAll(k.folder)) }

// Address is where everybody may do everything.
func (k *Kafka) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(k.port)) }

// SecureAddress is where one signs in, with TLS.
func (k *Kafka) SecureAddress() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(k.secure)) }

// URL gives the address of a stream on the broker, with a topic of its own,
// which is not made yet.
func (k *Kafka) URL() string { return "kafka://" + k.Address() + "?topic=" + k.Topic() }

// Topic gives a name that no other topic of the broker has.
func (k *Kafka) Topic() string { return fmt.Sprintf("casm.test-%d", k.topics.Add(1)) }

// TopicOf gives the topic of a URL.
func TopicOf(url string) string { return url[strings.LastIndex(url, "=")+1:] }

// Client gives a client that may do everything, closed with the test.
func (k *Kafka) Client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.Address()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// Committed reads all records of a topic as a subscriber gets them who waits
// for transactions to be committed: each partition in its order.
func (k *Kafka) Committed(t testing.TB, topic string) map[int32][]*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(k.Client(t)).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatalf("topic %s: %v", topic, err)
	}
	cl := k.Client(t, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	all := map[int32][]*kgo.Record{}
	left := map[int32]int64{}
	for p, o := range ends[topic] {
		if o.Offset > 0 {
			left[p] = o.Offset
		}
	}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			t.Fatalf("topic %s: %v; left to read: %v", topic, err, left)
		}
		for r := range fetches.RecordsAll() {
			if !r.Attrs.IsControl() {
				all[r.Partition] = append(all[r.Partition], r)
			}
			if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		}
	}
	return all
}

// AllowRelay lets a user do with a topic what a relay must, and signs it up at
// the broker (docs/operations.md).
func (k *Kafka) AllowRelay(t testing.TB, user, topic string) {
	t.Helper()
	k.allow(t, user,
		kadm.NewACLs().Topics(topic).Operations(kadm.OpCreate, kadm.OpDescribe, kadm.OpDescribeConfigs, kadm.OpRead, kadm.OpWrite),
		kadm.NewACLs().TransactionalIDs(topic+".relay").Operations(kadm.OpDescribe, kadm.OpWrite),
		kadm.NewACLs().Groups(topic+".relay").Operations(kadm.OpRead))
}

// AllowSubscriber lets a user read a topic as the data warehouse does, and
// signs it up at the broker.
func (k *Kafka) AllowSubscriber(t testing.TB, user, topic string) {
	t.Helper()
	k.allow(t, user,
		kadm.NewACLs().Topics(topic).Operations(kadm.OpDescribe, kadm.OpRead),
		kadm.NewACLs().Groups(topic+".relay").Operations(kadm.OpDescribe))
}

func (k *Kafka) allow(t testing.TB, user string, acls ...*kadm.ACLBuilder) {
	t.Helper()
	adm := kadm.NewClient(k.Client(t))
	var err error
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		answers, e := adm.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: user, Mechanism: mechanism, Iterations: 4096, Password: KafkaPassword}})
		err = errors.Join(err, e, answers.Error())
	}
	for _, b := range acls {
		results, e := adm.CreateACLs(t.Context(), b.Allow("User:"+user).AllowHosts().ResourcePatternType(kadm.ACLPatternLiteral))
		if e == nil {
			for _, r := range results {
				e = errors.Join(e, r.Err)
			}
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		t.Fatalf("Kafka: allow %s: %v", user, err)
	}
}
