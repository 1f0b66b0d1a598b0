package oidc

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

var errSecret = errors.New("the file is empty or too large")

// aliasPattern keeps colons out of aliases, which separate the parts of a subject.
const aliasPattern = `^[a-z0-9][a-z0-9._-]{0,62}$`

// check says all that is wrong at once.
func (c Config) check() error {
	var problems []string
	aliases, urls := map[string]bool{}, map[string]bool{}
	for _, i := range c.Issuers {
		if err := i.check(); err != nil {
			problems = append(problems, fmt.Sprintf("issuer %q: %v", i.Alias, err))
		}
		if aliases[i.Alias] || urls[i.URL] {
			problems = append(problems, fmt.Sprintf("issuer %q: its alias or URL is given twice", i.Alias))
		}
		aliases[i.Alias], urls[i.URL] = true, true
	}
	if c.Introspection != nil {
		if err := c.Introspection.check(); err != nil {
			problems = append(problems, "introspection: "+err.Error())
		}
	}
	if c.Leeway < 0 || c.ProofWindow < 0 || c.CacheSize < 0 || c.ReplaySize < 0 {
		problems = append(problems, "a duration or size is negative")
	}
	if len(problems) > 0 {
		return fault.New(fault.Invalid, "%s", strings.Join(problems, "; "))
	}
	return nil
}

func (i Issuer) check() error {
	err := checkAlias(i.Alias)
	for _, name := range i.Algorithms {
		if !slices.Contains(algorithms(), jose.SignatureAlgorithm(name)) {
			err = errors.Join(err, fmt.Errorf("algorithm %q cannot be allowed", name))
		}
	}
	if i.Keys != nil {
		if i.URL == "" {
			err = errors.Join(err, errors.New("it has no URL"))
		}
		return err
	}
	if problem := i.Reach.checkURL(i.URL); problem != nil {
		err = errors.Join(err, fmt.Errorf("its URL cannot be used: %w", problem))
	}
	if i.JWKSURL != "" {
		if problem := i.Reach.checkURL(i.JWKSURL); problem != nil {
			err = errors.Join(err, fmt.Errorf("its JWKS URL cannot be used: %w", problem))
		}
	}
	return err
}

func (c Introspection) check() error {
	err := checkAlias(c.Alias)
	if problem := c.Reach.checkURL(c.Endpoint); problem != nil {
		err = errors.Join(err, fmt.Errorf("its endpoint cannot be used: %w", problem))
	}
	if c.ClientID != "" {
		if _, problem := c.secret(); problem != nil {
			err = errors.Join(err, fmt.Errorf("its secret cannot be read: %w", problem))
		}
		return err
	}
	if c.Reach.TLS == nil || len(c.Reach.TLS.Certificates) == 0 && c.Reach.TLS.GetClientCertificate == nil {
		err = errors.Join(err, errors.New("it has neither a client id nor a client certificate"))
	}
	return err
}

func checkAlias(alias string) error {
	if alias == identity.CertificateAlias || !regexp.MustCompile(aliasPattern).MatchString(alias) {
		return errors.New("its alias cannot be used")
	}
	return nil
}

func (i Issuer) allowed() []jose.SignatureAlgorithm {
	if len(i.Algorithms) == 0 {
		return algorithms()
	}
	allowed := make([]jose.SignatureAlgorithm, len(i.Algorithms))
	for n, name := range i.Algorithms {
		allowed[n] = jose.SignatureAlgorithm(name)
	}
	return allowed
}

// source is where the issuer's keys come from.
func (i Issuer) source(c Config) (keySource, error) {
	if i.Keys != nil {
		keys, err := fromJWKS(i.Keys)
		return localKeys{set: &keySet{keys: keys}}, err
	}
	return &remoteKeys{
		issuer: i.URL, jwksURL: i.JWKSURL, reach: i.Reach, caller: newCaller(i.Reach), clock: c.Clock, log: c.Log,
	}, nil
}

// withoutPath drops the machine's path that errors of os carry.
func withoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return errors.New(pathErr.Op + ": " + pathErr.Err.Error())
	}
	return err
}
