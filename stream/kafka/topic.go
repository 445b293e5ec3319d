package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// MaxMessageBytes is what the topic must take: an entity's attributes are at
// most 512 KiB (contract rule 23) before they are escaped as JSON.
const MaxMessageBytes = 4 << 20

// defaultMessageBytes is what a topic takes unless set otherwise.
const defaultMessageBytes = 1_000_000

// ensure makes the topic where there is none, and sees that the relay can use
// it where there is one. The caller holds use.
func (t *Target) ensure(ctx context.Context) error {
	if t.ensured {
		return nil
	}
	topics, err := t.adm.ListTopics(ctx, t.topic)
	if err != nil {
		return t.wrap(ctx, "look for it", err)
	}
	detail := topics[t.topic]
	if errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
		if err := t.create(ctx); err != nil {
			return err
		}
	} else if detail.Err != nil {
		return t.wrap(ctx, "look for it", detail.Err)
	}
	if err := t.check(ctx, topics[t.topic].Partitions.NumReplicas()); err != nil {
		return err
	}
	t.ensured = true
	return nil
}

// create makes the topic. It keeps everything: how long messages are of use is
// the operator's to say.
func (t *Target) create(ctx context.Context) error {
	replicas := t.address.replicas
	if replicas == 0 {
		brokers, err := t.adm.ListBrokers(ctx)
		if err != nil {
			return t.wrap(ctx, "its brokers", err)
		}
		replicas = min(3, len(brokers))
	}
	set := func(s string) *string { return &s }
	answer, err := t.adm.CreateTopic(ctx, int32(t.address.partitions), int16(replicas), map[string]*string{
		"cleanup.policy":                 set("delete"),
		"retention.ms":                   set("-1"),
		"retention.bytes":                set("-1"),
		"min.insync.replicas":            set(strconv.Itoa(max(replicas-1, 1))),
		"unclean.leader.election.enable": set("false"),
		"max.message.bytes":              set(strconv.Itoa(MaxMessageBytes)),
	}, t.topic)
	if err == nil {
		err = answer.Err
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return t.wrap(ctx, "make it", err)
	}
	// Brokers may take a moment to know it.
	for {
		topics, err := t.adm.ListTopics(ctx, t.topic)
		if err != nil {
			return t.wrap(ctx, "look for it", err)
		}
		if topics[t.topic].Err == nil && len(topics[t.topic].Partitions) > 0 {
			break
		}
		pause(ctx, retryPause)
	}
	t.forget()
	t.log.Info("the stream's topic was made", "topic", t.topic, "partitions", t.address.partitions, "replicas", replicas)
	return nil
}

// check sees whether the relay can use a topic that is there, and warns where
// it keeps less than one that is made here.
func (t *Target) check(ctx context.Context, replicas int) error {
	t.most = defaultMessageBytes
	config, err := t.config(ctx)
	for n := 0; errors.Is(err, kerr.UnknownTopicOrPartition) && n < madePatience && ctx.Err() == nil; n++ {
		pause(ctx, retryPause)
		config, err = t.config(ctx)
	}
	if err != nil {
		if errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.log.Warn("the settings of the stream's topic cannot be read: what it keeps is not known, and messages over 1 MB are not published; allow DescribeConfigs", "topic", t.topic)
			return nil
		}
		return t.wrap(ctx, "its settings", err)
	}
	if policy := config["cleanup.policy"]; policy != "delete" {
		return fmt.Errorf("stream %s: its cleanup.policy is %q instead of \"delete\": of each customer only the last message would be kept; set it with kafka-configs", t.topic, policy)
	}
	if n, err := strconv.Atoi(config["max.message.bytes"]); err == nil {
		t.most = min(n, MaxMessageBytes)
	}
	if t.most < MaxMessageBytes {
		t.log.Warn("the stream's topic refuses messages as large as an entity can be: raise its max.message.bytes", "topic", t.topic, "is", t.most, "needed", MaxMessageBytes)
	}
	if config["unclean.leader.election.enable"] == "true" {
		t.log.Warn("the stream's topic may lose what was acknowledged: set its unclean.leader.election.enable to false", "topic", t.topic)
	}
	if replicas > 1 && config["min.insync.replicas"] == "1" {
		t.log.Warn("the stream's topic acknowledges messages that one broker alone has: set its min.insync.replicas to 2", "topic", t.topic, "replicas", replicas)
	}
	return nil
}

// madePatience is how often a broker that does not know the topic, though
// another one does, is asked again.
const madePatience = 100

// config gives the topic's settings.
func (t *Target) config(ctx context.Context) (map[string]string, error) {
	configs, err := t.adm.DescribeTopicConfigs(ctx, t.topic)
	if err != nil {
		return nil, err
	}
	of, err := configs.On(t.topic, nil)
	if err == nil {
		err = of.Err
	}
	config := map[string]string{}
	for _, c := range of.Configs {
		config[c.Key] = c.MaybeValue()
	}
	return config, err
}

// logger lets what the client tells be seen at level debug; what matters comes
// back as errors.
type logger struct{ *slog.Logger }

// Level implements kgo.Logger.
func (logger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements kgo.Logger.
func (l logger) Log(_ kgo.LogLevel, msg string, keyvals ...any) {
	l.Debug("kafka: "+msg, keyvals...)
}
