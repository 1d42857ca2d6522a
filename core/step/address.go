package step

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// addresses looks the host up and checks that every address is right for it.
func (h *HTTP) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil // it stands in the allow-list itself
	}
	ctx, cancel := context.WithTimeout(ctx, h.config.ConnectTimeout)
	defer cancel()
	found, err := h.config.Lookup(ctx, host)
	if err != nil {
		return nil, ioError{fmt.Errorf("host [%s]: %w", host, err)}
	}
	if len(found) == 0 {
		return nil, ioError{fmt.Errorf("host [%s]: has no address", host)}
	}
	name := strings.TrimSuffix(host, ".")
	local := name == "localhost" || strings.HasSuffix(name, ".localhost")
	private := slices.Contains(h.config.PrivateHosts, host)
	for i, a := range found {
		a = a.Unmap().WithZone("")
		var right bool
		if local {
			right = a.IsLoopback()
		} else {
			right = h.rules.public(a) || private && h.rules.inside(a)
		}
		if !right {
			return nil, fmt.Errorf("host [%s]: address %s is not allowed for it", host, a)
		}
		found[i] = a
	}
	return found, nil
}

// addressRules tell what an address stands for.
type addressRules struct {
	special       []netip.Prefix // special-purpose networks of IANA's registries, and what is deprecated or a tunnel
	private       []netip.Prefix // networks that a PrivateHosts entry opens
	metadata      []netip.Addr   // metadata services that lie in these
	globalUnicast netip.Prefix   // outside of it, no IPv6 address is public
	translated    netip.Prefix   // the last four bytes are an IPv4 address
}

func newAddressRules() addressRules {
	prefixes := func(list ...string) []netip.Prefix {
		out := make([]netip.Prefix, len(list))
		for i, p := range list {
			out[i] = netip.MustParsePrefix(p)
		}
		return out
	}
	return addressRules{
		special: prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
			"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
			"240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
		private: prefixes("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"),
		metadata: []netip.Addr{netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("fd00:ec2::254"),
			netip.MustParseAddr("fd00:ec2::23"), netip.MustParseAddr("fd20:ce::254")},
		globalUnicast: netip.MustParsePrefix("2000::/3"),
		translated:    netip.MustParsePrefix("64:ff9b::/96"),
	}
}

// public tells whether an address belongs to the internet.
func (r *addressRules) public(a netip.Addr) bool {
	if r.translated.Contains(a) {
		b := a.As16()
		return r.public(netip.AddrFrom4([4]byte(b[12:])))
	}
	if a.Is6() && !r.globalUnicast.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(r.special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// inside tells whether an address belongs to the own network or machine, metadata services apart.
func (r *addressRules) inside(a netip.Addr) bool {
	return !slices.Contains(r.metadata, a) && slices.ContainsFunc(r.private, func(p netip.Prefix) bool { return p.Contains(a) })
}
