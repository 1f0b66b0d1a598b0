package config

import (
	"reflect"
	"strings"
	"time"
)

// Types of outside servers.
const (
	TypeOpenBao   = "openbao"
	TypeHashicorp = "hashicorp"
)

// Methods by which Coffer authenticates to an outside server.
const (
	AuthToken   = "token"
	AuthAppRole = "approle"
)

// Server is an outside server and Coffer's credentials there.
type Server struct {
	URL      string `yaml:"url" doc:"Base URL of the server."`
	Token    Secret `yaml:"token" doc:"Token of Coffer there; vault.token without one."`
	RoleID   string `yaml:"role_id" doc:"AppRole role id, used instead of a token."`
	SecretID Secret `yaml:"secret_id" doc:"AppRole secret id."`
}

// Vault is what openbao and hashicorp share.
type Vault struct {
	URL              string        `yaml:"url" doc:"Server of openbao+kv2 and hashicorp+kv2 where openbao.url or hashicorp.url is not set."`
	Token            Secret        `yaml:"token" doc:"Token of Coffer there."`
	Timeout          time.Duration `yaml:"timeout" default:"30s" min:"1s" max:"10m" doc:"Longest an operation may take, all attempts together."`
	VerifySSL        bool          `yaml:"verify_ssl" default:"true" doc:"Verify the server's certificate. prod cannot turn it off."`
	PoolSize         int           `yaml:"pool_size" default:"10" min:"1" max:"10000" doc:"Idle connections kept to each server."`
	MaxConcurrent    int           `yaml:"max_concurrent_operations" default:"50" min:"1" max:"10000" doc:"Operations in work at once on each server; more are answered 429."`
	RenewalThreshold time.Duration `yaml:"token_renewal_threshold" default:"600s" min:"0s" doc:"Remaining life at which Coffer renews its token."`
}

// Provider is one named outside server. Numbers count seconds where the name ends
// in _s.
type Provider struct {
	Type      string         `yaml:"type" oneof:"openbao hashicorp vault" doc:"openbao or hashicorp (vault means hashicorp); the first part of the name without one."`
	URL       string         `yaml:"url" doc:"Base URL of the server."`
	Auth      ProviderAuth   `yaml:"auth" doc:"Coffer's credentials there."`
	Namespace string         `yaml:"namespace" doc:"Namespace of every request."`
	Timeout   time.Duration  `yaml:"timeout_s" default:"30s" min:"1s" max:"10m" doc:"Longest an operation may take, all attempts together."`
	VerifySSL bool           `yaml:"verify_ssl" default:"true" doc:"Verify the server's certificate. prod cannot turn it off."`
	PoolSize  int            `yaml:"pool_size" default:"10" min:"1" max:"10000" doc:"Idle connections kept."`
	Breaker   CircuitBreaker `yaml:"circuit_breaker" doc:"When the server is left alone for a while."`
}

// ProviderAuth is how Coffer authenticates to a named server.
type ProviderAuth struct {
	Method   string `yaml:"method" default:"token" oneof:"token approle" doc:"token or approle."`
	Token    Secret `yaml:"token" doc:"Token, for method token."`
	Role     string `yaml:"role" doc:"AppRole role id, for method approle."`
	SecretID Secret `yaml:"secret_id" doc:"AppRole secret id, for method approle."`
}

// CircuitBreaker stops calls to a server that fails.
type CircuitBreaker struct {
	Threshold int           `yaml:"threshold" default:"5" min:"1" doc:"Failures within a minute that open the circuit."`
	Timeout   time.Duration `yaml:"timeout_s" default:"30s" min:"1s" doc:"How long the circuit stays open."`
}

// Backends gives every outside server that is configured under the name that URIs
// use: "openbao" and "hashicorp" from their own section or vault, and the named
// ones, in which the prefix vault- reads hashicorp-.
func (c *Config) Backends() map[string]Provider {
	out := map[string]Provider{}
	for name, own := range map[string]Server{TypeOpenBao: c.OpenBao, TypeHashicorp: c.Hashicorp} {
		if p, ok := c.Vault.provider(name, own); ok {
			out[name] = p
		}
	}
	for name, p := range c.Providers {
		name = canonicalName(name)
		p.Type, _, _ = strings.Cut(name, "-")
		out[name] = p
	}
	return out
}

func (v Vault) provider(kind string, own Server) (Provider, bool) {
	var p Provider
	setDefaults(reflect.ValueOf(&p).Elem(), "")
	p.Type, p.URL, p.Timeout, p.VerifySSL, p.PoolSize = kind, own.URL, v.Timeout, v.VerifySSL, v.PoolSize
	p.Auth.Token, p.Auth.Role, p.Auth.SecretID = own.Token, own.RoleID, own.SecretID
	if p.URL == "" {
		p.URL = v.URL
	}
	if p.Auth.Token.IsZero() && p.Auth.Role == "" {
		p.Auth.Token = v.Token
	}
	if p.Auth.Token.IsZero() && p.Auth.Role != "" {
		p.Auth.Method = AuthAppRole
	}
	return p, p.URL != ""
}

// canonicalName folds case and reads the prefix vault- as hashicorp-, as URIs do.
func canonicalName(name string) string {
	name = strings.ToLower(name)
	if rest, ok := strings.CutPrefix(name, "vault-"); ok {
		return TypeHashicorp + "-" + rest
	}
	return name
}
