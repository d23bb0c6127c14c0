package route

import (
	"fmt"
	"net/netip"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// inNetwork is cidr(address, network). What is no address is in no network.
func inNetwork(address, network ref.Val) ref.Val {
	text, _ := network.(types.String)
	n, err := parseNetwork(string(text))
	if err != nil {
		return types.NewErr("%v", err)
	}
	a, ok := parseAddress(address)
	return types.Bool(ok && n.Contains(a))
}

// inNetworks is cidr(address, [network, ...]).
func inNetworks(address, networks ref.Val) ref.Val {
	list, ok := networks.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(networks)
	}
	for i := list.Iterator(); i.HasNext() == types.True; {
		if v := inNetwork(address, i.Next()); v != types.False {
			return v
		}
	}
	return types.False
}

func parseAddress(v ref.Val) (netip.Addr, bool) {
	text, _ := v.(types.String)
	a, err := netip.ParseAddr(string(text))
	return a.Unmap().WithZone(""), err == nil
}

// parseNetwork reads a network, or an address as the network of it alone.
func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return unmapPrefix(netip.PrefixFrom(a, a.BitLen())), nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil {
		return n, fmt.Errorf("%q is no network: write it as in \"10.0.0.0/8\"", text)
	}
	return unmapPrefix(n), nil
}
