package upstream

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// A Resolver finds out what a name stands for. It may be called by many goroutines at once.
type Resolver interface {
	// Addresses returns the addresses (A and AAAA) of host and how long they are good.
	Addresses(ctx context.Context, host string) ([]netip.Addr, time.Duration, error)
	// Services returns the SRV records of name and how long they are good.
	Services(ctx context.Context, name string) ([]Service, time.Duration, error)
}

// A Service is one SRV record (RFC 2782), with the addresses of its target.
type Service struct {
	Target    string
	Addresses []netip.Addr
	Port      uint16
	Priority  uint16
	Weight    uint16
}

// SystemResolver returns a resolver that asks the system's name servers.
func SystemResolver() Resolver { return plainResolver{} }

// plainResolver asks the standard library, which does not tell TTLs.
type plainResolver struct{}

const plainTTL = 30 * time.Second

// Addresses implements Resolver.
func (plainResolver) Addresses(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return list, plainTTL, err
}

// Services implements Resolver.
func (r plainResolver) Services(ctx context.Context, name string) ([]Service, time.Duration, error) {
	_, list, err := net.DefaultResolver.LookupSRV(ctx, "", "", name)
	if err != nil {
		return nil, 0, err
	}
	var out []Service
	for _, s := range list {
		addrs, _, err := r.Addresses(ctx, s.Target)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, Service{Target: s.Target, Addresses: addrs, Port: s.Port, Priority: s.Priority, Weight: s.Weight})
	}
	return out, plainTTL, nil
}
