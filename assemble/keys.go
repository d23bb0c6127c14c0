package assemble

import (
	"fmt"
	"strings"

	"weir/config"
)

// The keys of features: values that are equal only if what a feature is made of is.

func keyOfRequestID(r *config.Route) any {
	if r.RequestID == nil {
		return nil
	}
	return *r.RequestID
}

func keyOfErrors(r *config.Route) any {
	if len(r.Errors) == 0 {
		return nil
	}
	return fmt.Sprintf("%#v", errorsConfig(r.Settings))
}

func keyOfAccess(r *config.Route) any {
	if len(r.Allow)+len(r.Deny) == 0 {
		return nil
	}
	return fmt.Sprintf("%q %q", r.Allow, r.Deny)
}

func keyOfMaxBody(r *config.Route) any {
	if r.MaxBody < 0 {
		return nil
	}
	return r.MaxBody
}

func keyOfRewrite(r *config.Route) any {
	if r.Rewrite == nil {
		return nil
	}
	return fmt.Sprintf("%#v", rewriteConfig(r))
}

func keyOfHeader(r *config.Route) any {
	if len(r.Request)+len(r.Response) == 0 {
		return nil
	}
	return fmt.Sprintf("%#v", headerConfigs(r))
}

type forwardKey struct {
	mode      string
	port, via bool
	host      string
	params    string // that host may use
}

func keyOfForward(r *config.Route) any {
	if r.Proxy == "" && r.Split == nil {
		return nil
	}
	key := forwardKey{mode: r.Forwarded, port: r.ForwardedPort, via: r.Via}
	if _, key.host = hostOf(r); key.host != "" {
		key.params = strings.Join(params(r), "\n")
	}
	return key
}
