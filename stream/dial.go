package stream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// ErrSetup: an endpoint cannot be sent to until a person changes how it is set
// up. That is the fault of no message.
var ErrSetup = errors.New("this needs a change by hand")

// Networks are the networks that endpoints may be in; none: all but those in
// which a machine keeps what is its own alone.
type Networks []netip.Prefix

// metadata are addresses, beside link-local ones, at which clouds tell a
// machine its credentials.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"),
}

// nat64 are IPv6 addresses that stand for IPv4 ones.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Allow returns nil when an endpoint may be at the address, else an ErrSetup:
// who may configure endpoints must not reach through the server what only the
// server can reach.
func (n Networks) Allow(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	for _, network := range n {
		if network.Contains(ip) {
			return nil
		}
	}
	switch {
	case len(n) > 0:
		return fmt.Errorf("%w: %s is in none of the networks of --outbound-networks", ErrSetup, ip)
	case ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified(), slices.Contains(metadata, ip):
		return fmt.Errorf("%w: nothing is sent to %s, which is link-local, multicast, or a cloud's metadata; --outbound-networks can allow it", ErrSetup, ip)
	}
	return nil
}

// Dialer opens connections to endpoints in the networks. It looks at the
// address that is connected to, after names were resolved.
func (n Networks) Dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: 5 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: %s is no address", ErrSetup, address)
			}
			return n.Allow(at.Addr())
		},
	}
}
