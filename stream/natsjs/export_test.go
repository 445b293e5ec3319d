package natsjs

import (
	"testing"

	"github.com/nats-io/nats.go"
)

// PublisherURL gives the server's URL with the publisher's credentials, as an
// external server's URL would hold them.
func PublisherURL(s *Server) string {
	var o nats.Options
	_ = s.publisher(&o)
	return "nats://" + o.User + ":" + o.Password + "@" + s.Addr()
}

// PublisherConn gives a connection with all rights.
func PublisherConn(t testing.TB, s *Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s.ns), s.publisher)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
