package stream_test

import (
	"errors"
	"net/netip"
	"testing"

	"casm/stream"
)

func TestNetworks(t *testing.T) {
	only := stream.Networks{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("169.254.7.0/24")}
	for _, c := range []struct {
		ip          string
		byItself, n bool
	}{
		{"93.184.216.34", true, false},
		{"10.1.2.3", true, true},
		{"127.0.0.1", true, false},
		{"::1", true, false},
		{"fd12::1", true, false},
		{"169.254.169.254", false, false},
		{"::ffff:169.254.169.254", false, false},
		{"64:ff9b::a9fe:a9fe", false, false},
		{"64:ff9b::0a01:0203", true, true},
		{"::ffff:10.1.2.3", true, true},
		{"169.254.7.1", false, true},
		{"fe80::1%eth0", false, false},
		{"fd00:ec2::254", false, false},
		{"100.100.100.200", false, false},
		{"168.63.129.16", false, false},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"224.0.0.1", false, false},
		{"ff02::1", false, false},
	} {
		for networks, want := range map[*stream.Networks]bool{{}: c.byItself, &only: c.n} {
			err := networks.Allow(netip.MustParseAddr(c.ip))
			if (err == nil) != want || err != nil && !errors.Is(err, stream.ErrSetup) {
				t.Errorf("%s in %v: %v", c.ip, *networks, err)
			}
		}
	}
}
