package testkit

import (
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestKafka: a broker starts, takes records and gives them back, and leaves
// nothing behind.
func TestKafka(t *testing.T) {
	t.Parallel()
	k, err := StartKafka(t)
	if err != nil {
		t.Fatal(err)
	}
	topic := k.Topic()
	if _, err := kadm.NewClient(k.Client(t)).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	if err := k.Client(t).ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("kept")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if got := k.Committed(t, topic)[0]; len(got) != 1 || string(got[0].Value) != "kept" {
		t.Errorf("it has %v", got)
	}
	if err := k.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(k.folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left behind: %v", err)
	}
}
