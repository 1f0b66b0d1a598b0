package authzen

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/coffer-dev/coffer/internal/fault"
)

// ReplayMode says how a read that no grant covers proves that it is not a replay.
type ReplayMode string

// The replay modes.
const (
	// ReplayDPoP leaves it to the authenticator, which has checked the proof's jti.
	ReplayDPoP ReplayMode = "dpop"
	// ReplayJTI lets a token ask once per canonical URI and purpose. A bearer token
	// without jti is refused; a client certificate proves itself anew each time.
	ReplayJTI ReplayMode = "jti"
	// ReplayOff checks nothing.
	ReplayOff ReplayMode = "off"
)

// Config is what a Decider is made of. A zero field takes the default named beside it.
type Config struct {
	// URL of the decision point, http or https, without query and user. Plain http
	// trusts the network between: use it on loopback or inside a protected mesh only.
	URL string
	// TokenFile holds the bearer token for the decision point. It is read again
	// whenever it changes. Empty: no token is sent.
	TokenFile string
	// CertFile and KeyFile are the client certificate, read at every TLS handshake.
	CertFile, KeyFile string
	// CAFile holds the roots that the decision point's certificate must chain to;
	// empty: the system's.
	CAFile string
	// HTTP replaces the client built from the three fields above. Redirects are
	// refused either way.
	HTTP *http.Client
	// Timeout of one call; 2 s.
	Timeout time.Duration
	// GrantTTL of a permit that names none; 300 s.
	GrantTTL time.Duration
	// GrantMaxUses of a permit that names none; 1.
	GrantMaxUses int
	// NegativeTTL is how long a refusal is repeated without asking, plus Jitter;
	// 5 s. Negative: refusals are not remembered.
	NegativeTTL time.Duration
	// Replay mode; ReplayDPoP.
	Replay ReplayMode
	// ReplayTTL is how long ReplayJTI remembers a use; 300 s.
	ReplayTTL time.Duration
	// MaxEntries bounds each map (keys with grants or refusals, remembered uses); 100,000.
	MaxEntries int
	// CerbosOutputs asks a Cerbos decision point for its rule outputs, which carry
	// its obligations and which it leaves out unless the context says
	// "cerbos.includeMeta". A permit without them is then none. Off: that member is
	// not sent, and obligations in a Cerbos policy go unseen.
	CerbosOutputs bool
	// Observe is told what happens, for metrics and logs.
	Observe Observe
	// Now is the clock; its readings must be monotonic, as those of time.Now are.
	Now func() time.Time
	// Jitter is added to NegativeTTL, so that refusals do not end all at once; a
	// random 0 to 500 ms.
	Jitter func() time.Duration
	// NewID makes decision and request ids; random UUIDs.
	NewID func() string
}

// Observe is a set of hooks, each optional, called concurrently and inline: they
// must not block.
type Observe struct {
	// Decided is told how long one read took to decide and whether a remembered
	// grant or refusal answered (pep_latency_ms).
	Decided func(took time.Duration, hit bool)
	// GrantHit counts reads that a grant permits (grant_hit_total).
	GrantHit func()
	// GrantMiss counts reads that neither grant nor refusal answers (grant_miss_total).
	GrantMiss func()
	// NegativeHit counts repeated refusals (grant_negative_cache_hit_total).
	NegativeHit func()
	// Called is told how long one call of the decision point took (pdp_latency_ms).
	Called func(took time.Duration)
	// Failed is told why a call gave no answer (pdp_error_total). The error names
	// no resource and no token.
	Failed func(err error)
	// Replayed counts reads refused as replays (anti_replay_total).
	Replayed func()
}

// withDefaults fills zero fields and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	orElse(&c.Timeout, 2*time.Second)
	orElse(&c.GrantTTL, 300*time.Second)
	orElse(&c.GrantMaxUses, 1)
	orElse(&c.NegativeTTL, 5*time.Second)
	orElse(&c.Replay, ReplayDPoP)
	orElse(&c.ReplayTTL, 300*time.Second)
	orElse(&c.MaxEntries, 100_000)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Jitter == nil {
		c.Jitter = func() time.Duration { return rand.N(500*time.Millisecond + 1) } //nolint:gosec // spreads retries, keeps no secret
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	if c.Timeout < 0 || c.GrantTTL < 0 || c.GrantMaxUses < 0 || c.ReplayTTL < 0 || c.MaxEntries < 0 {
		return c, fault.New(fault.Invalid, "decision point: a limit is negative")
	}
	switch c.Replay {
	case ReplayDPoP, ReplayJTI, ReplayOff:
	default:
		return c, fault.New(fault.Invalid, "decision point: replay mode is not one of dpop, jti, off")
	}
	return c, nil
}

func orElse[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}

// parseBase reads the decision point's own URL.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fault.New(fault.Invalid, "decision point: URL is not an absolute http or https URL")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "decision point: URL has a user, a query or a fragment")
	}
	return u, nil
}
