package testkit

import (
	"bufio"
	"bytes"
	bigendian "encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
)

// Cut is the place at which a Proxy cuts a connection.
type Cut int

// The places at which connections are cut.
const (
	// CutNothing lets everything pass.
	CutNothing Cut = iota
	// CutBeforeCommit cuts when a COMMIT comes from the client: the server
	// never sees it.
	CutBeforeCommit
	// CutAfterCommit lets a COMMIT through and cuts when the server's answer to
	// it comes: the client never sees it.
	CutAfterCommit
)

// Proxy stands before a PostgreSQL server and cuts connections on demand. It
// reads the messages of both sides, so connections must not be encrypted.
type Proxy struct {
	listener net.Listener
	target   string
	done     sync.WaitGroup

	mu      sync.Mutex
	next    Cut // armed for one COMMIT
	cuts    int
	trips   int
	refuse  bool
	closed  bool
	current map[net.Conn]bool // both sides of all connections
}

// StartProxy starts a proxy on a free port before a server's address.
func StartProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, current: make(map[net.Conn]bool)}
	p.done.Go(p.accept)
	return p, nil
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Arm cuts one connection at the next COMMIT of any.
func (p *Proxy) Arm(cut Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = cut
}

// Cuts returns how many armed cuts were made.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// RoundTrips returns how often clients asked for answers to what they had sent,
// each a time that they waited.
func (p *Proxy) RoundTrips() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trips
}

// CutAll cuts all connections that there are.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.current {
		c.Close() // it is over either way
	}
}

// Refuse says whether new connections are refused.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Close ends the proxy with all its connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.CutAll()
	p.done.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		if refuse {
			client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		if !p.keep(client, server) {
			return
		}
		l := &link{proxy: p, client: client, server: server, statements: make(map[string]string)}
		p.done.Go(func() { l.pass(l.fromClient); l.cut() })
		p.done.Go(func() { l.pass(l.fromServer); l.cut() })
	}
}

func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			c.Close()
		}
		p.current[c] = true
	}
	return !p.closed
}

// take takes the armed cut if it is one of a kind.
func (p *Proxy) take(cut Cut) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != cut {
		return false
	}
	p.next = CutNothing
	p.cuts++
	return true
}

// link is one connection through the proxy.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	statements     map[string]string // prepared, by name

	mu        sync.Mutex
	swallowed bool // a COMMIT went through whose answer is not to come back
}

func (l *link) cut() {
	l.client.Close()
	l.server.Close()
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	delete(l.proxy.current, l.client)
	delete(l.proxy.current, l.server)
}

var errCut = errors.New("cut")

// pass passes messages on in one direction until there are no more.
func (l *link) pass(direction func() error) {
	_ = direction() // its end is the connection's
}

func (l *link) fromClient() error {
	r := bufio.NewReader(l.client)
	// The first message has no type.
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return err
	}
	body := make([]byte, max(0, int(bigendian.BigEndian.Uint32(length[:]))-4))
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	if _, err := l.server.Write(append(length[:], body...)); err != nil {
		return err
	}
	return messages(r, l.server, func(kind byte, body []byte) error {
		if kind == 'S' || kind == 'Q' { // sync, simple query
			l.proxy.mu.Lock()
			l.proxy.trips++
			l.proxy.mu.Unlock()
		}
		if !l.commits(kind, body) {
			return nil
		}
		if l.proxy.take(CutBeforeCommit) {
			return errCut
		}
		if l.proxy.take(CutAfterCommit) {
			l.mu.Lock()
			l.swallowed = true
			l.mu.Unlock()
		}
		return nil
	})
}

// commits reports whether a message runs a COMMIT.
func (l *link) commits(kind byte, body []byte) bool {
	first, rest, _ := bytes.Cut(body, []byte{0})
	second, _, _ := bytes.Cut(rest, []byte{0})
	is := func(sql string) bool { return strings.EqualFold(strings.TrimSpace(sql), "commit") }
	switch kind {
	case 'P': // parse: name, text
		l.statements[string(first)] = string(second)
	case 'B': // bind: portal, name of the statement
		return is(l.statements[string(second)])
	case 'Q':
		return is(string(first))
	}
	return false
}

func (l *link) fromServer() error {
	return messages(bufio.NewReader(l.server), l.client, func(kind byte, body []byte) error {
		if kind != 'C' || !bytes.HasPrefix(body, []byte("COMMIT")) { // command complete
			return nil
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.swallowed {
			return errCut
		}
		return nil
	})
}

// messages copies messages; look sees each before it goes on, and stops it
// with an error.
func messages(r *bufio.Reader, w io.Writer, look func(kind byte, body []byte) error) error {
	out := bufio.NewWriter(w)
	for {
		header := make([]byte, 5)
		if _, err := io.ReadFull(r, header); err != nil {
			return err
		}
		body := make([]byte, max(0, int(bigendian.BigEndian.Uint32(header[1:]))-4))
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		if err := look(header[0], body); err != nil {
			return errors.Join(err, out.Flush())
		}
		if _, err := out.Write(header); err != nil {
			return err
		}
		if _, err := out.Write(body); err != nil {
			return err
		}
		if r.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}
