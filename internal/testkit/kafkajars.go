package testkit

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// kafkaVersion is the release of Kafka that tests run; kafkaSums has the
// checksums of all of its files.
const kafkaVersion = "4.1.1"

//go:embed kafka.sha256
var kafkaSums []byte

// kafkaProject names to Maven what a broker needs; the rest follows from it.
const kafkaProject = `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>casm</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + kafkaVersion + `</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies>
</project>
`

// kafkaFiles finds java and the folder of Kafka's files: what CASM_KAFKA names,
// what an earlier run left in the user's cache, or what Maven resolves, by the
// settings that it has on this machine. Java and Maven are installed where they
// are missing.
func kafkaFiles() (java, folder string, err error) {
	if java, err = program("java", "default-jre-headless"); err != nil {
		return "", "", err
	}
	if folder := os.Getenv("CASM_KAFKA"); folder != "" {
		return java, folder, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", "", err
	}
	folder = filepath.Join(cache, "casm-test", "kafka-"+kafkaVersion)
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", "", err
	}
	lock := flock.New(folder + ".lock") // packages are tested side by side
	if err := lock.Lock(); err != nil {
		return "", "", err
	}
	defer lock.Unlock()
	if err = checkKafka(folder); errors.Is(err, fs.ErrNotExist) {
		err = fetchKafka(folder)
	}
	return java, folder, err
}

// program finds a program, after an attempt to install its package of Debian
// where it is missing.
func program(name, pack string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	output, err := install(pack)
	if path, e := exec.LookPath(name); e == nil {
		return path, nil
	}
	return "", fmt.Errorf("no %s on this machine; install it (Debian: apt-get install %s); installing it with apt-get: %w\n%s", name, pack, err, output)
}

// fetchKafka lets Maven resolve the files into a folder beside, which then takes
// the place: a run that is ended leaves nothing half.
func fetchKafka(folder string) error {
	maven, err := program("mvn", "maven")
	if err != nil {
		return err
	}
	next, err := os.MkdirTemp(filepath.Dir(folder), "next-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(next)
	if err := os.WriteFile(filepath.Join(next, "pom.xml"), []byte(kafkaProject), 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	files := filepath.Join(next, "files")
	cmd := exec.CommandContext(ctx, maven, "-B", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+files)
	cmd.Dir = next
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("no Kafka %s from Maven: %w\n%s", kafkaVersion, err, output)
	}
	if err := checkKafka(files); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(folder), os.Rename(files, folder))
}

// checkKafka makes sure that a folder has Kafka's files and no others.
func checkKafka(folder string) error {
	lines := bytes.Fields(kafkaSums)
	for i := 0; i < len(lines); i += 2 {
		name := string(lines[i+1])
		file, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != string(lines[i]) {
			return fmt.Errorf("%s in %s is not the file that it should be: its SHA-256 is %x", name, folder, sum)
		}
	}
	entries, err := os.ReadDir(folder)
	if err == nil && len(entries) != len(lines)/2 {
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		err = fmt.Errorf("%s has %d files, %d are known: %s", folder, len(entries), len(lines)/2, strings.Join(names, " "))
	}
	return err
}
