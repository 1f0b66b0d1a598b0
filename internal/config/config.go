package config

import "time"

// Config is everything that can be configured. The tags of a field are its
// documentation: yaml is its name, env its variables (a section's env is the prefix
// of its settings; without one a setting is COFFER_ and its path), default its
// default, dev and serve a default of that mode alone, oneof, min and max its
// bounds, doc its sentence. Load makes it; nobody changes it afterwards.
type Config struct {
	Mode Mode `yaml:"-"`

	Environment string     `yaml:"environment" env:"ENVIRONMENT" dev:"dev" serve:"prod" oneof:"dev test prod" doc:"Stage of this deployment. dev and test unlock writes to the YAML store and the event and audit endpoints."`
	Listen      string     `yaml:"listen" dev:"127.0.0.1:8091" serve:":8091" doc:"Address of the listener that all doors share. coffer dev binds loopback addresses only."`
	ExternalURL string     `yaml:"external_url" doc:"URL under which callers reach the shared listener. coffer dev derives it from listen."`
	TLS         ServerTLS  `yaml:"tls" doc:"Certificate of the shared listener; plain HTTP without one."`
	Listeners   []Listener `yaml:"listeners" doc:"Listeners of their own for some doors; a door that is not named here is on the shared one."`
	DataDir     string     `yaml:"data_dir" dev:"./.coffer" doc:"Directory of the embedded ledger. coffer serve needs it, or ledger.endpoints."`
	Ledger      Ledger     `yaml:"ledger" doc:"The etcd cluster that keeps the records; embedded in this process without endpoints."`
	KEK         KEK        `yaml:"kek" doc:"Key-encryption keys, which wrap the keyring."`
	Tenant      Tenant     `yaml:"tenant" doc:"The tenant whose secrets the canonical door serves."`
	Secrets     Secrets    `yaml:"secrets" doc:"The canonical door, /api/secrets."`
	Identity    Identity   `yaml:"identity" doc:"Who calls: token issuers, sessions, proxies."`
	Policy      Policy     `yaml:"policy" doc:"What callers may do: policies created at start, and the external decision point."`
	Audit       Audit      `yaml:"audit" doc:"Where decisions and their outcomes are recorded."`
	Events      Events     `yaml:"events" doc:"How long readers can go back in the event log. Whichever bound is met first ends it."`
	Limits      Limits     `yaml:"limits" doc:"Bounds on the work in hand."`
	Kafka       Kafka      `yaml:"kafka" env:"KAFKA" doc:"Kafka, which carries events and audit records when brokers are given."`

	OpenBao   Server              `yaml:"openbao" env:"OPENBAO" doc:"The OpenBao server behind openbao+kv2."`
	Hashicorp Server              `yaml:"hashicorp" env:"HASHICORP" doc:"The HashiCorp Vault server behind hashicorp+kv2."`
	Vault     Vault               `yaml:"vault" env:"VAULT" doc:"What both fall back to, and how they are called."`
	Providers map[string]Provider `yaml:"vault_providers" doc:"Named servers: the name openbao-prod is reached as openbao-prod+kv2. A name is a provider (openbao, hashicorp, vault), a dash and lower-case letters, digits and dashes."`
	YAMLVault YAMLVault           `yaml:"yaml_vault" env:"YAML_VAULT" doc:"The YAML file behind yaml:// URIs."`

	Log     Log     `yaml:"log" doc:"The log on standard error."`
	Tracing Tracing `yaml:"tracing" doc:"Traces over OTLP; off without an endpoint."`
}

// ServerTLS is the certificate of a listener.
type ServerTLS struct {
	CertFile     string `yaml:"cert_file" doc:"PEM file with the certificate chain."`
	KeyFile      string `yaml:"key_file" doc:"PEM file with the private key."`
	ClientCAFile string `yaml:"client_ca_file" doc:"PEM file with the authorities of client certificates; callers are asked for one when it is set."`
}

// ClientTLS is what a call to another server trusts and shows.
type ClientTLS struct {
	CAFile   string `yaml:"ca_file" doc:"PEM file with the authorities to trust; those of the system without one."`
	CertFile string `yaml:"cert_file" doc:"PEM file with the client certificate chain."`
	KeyFile  string `yaml:"key_file" doc:"PEM file with the private key of the client certificate."`
}

// Listener is an address of its own for some doors.
type Listener struct {
	Address string    `yaml:"address" doc:"Address to listen on, host:port."`
	Doors   []string  `yaml:"doors" doc:"Names of the doors served there."`
	TLS     ServerTLS `yaml:"tls" doc:"Certificate of this listener; plain HTTP without one."`
}

// Ledger says where the records are.
type Ledger struct {
	Endpoints  []string  `yaml:"endpoints" doc:"URLs of an external etcd cluster."`
	TLS        ClientTLS `yaml:"tls" doc:"TLS towards the cluster. In prod a cluster that is not on loopback needs https and a client certificate."`
	QuotaBytes int64     `yaml:"quota_bytes" default:"8589934592" min:"67108864" doc:"Size of the embedded database above which writes are refused, in bytes."`
}

// KEK names the key-encryption keys.
type KEK struct {
	Active   KeySource   `yaml:"active" doc:"The key that wraps the keyring. coffer dev creates a file in its data directory."`
	Previous []KeySource `yaml:"previous" doc:"Keys that may still open the keyring during a rotation."`
}

// KeySource is one key-encryption key: a file or a plug-in, never both.
type KeySource struct {
	File      string `yaml:"file" doc:"File of exactly 32 bytes, mode 0600."`
	KMSSocket string `yaml:"kms_socket" doc:"Unix socket of a Kubernetes KMS v2 plug-in."`
}

// IsZero says whether no key is named.
func (k KeySource) IsZero() bool { return k == KeySource{} }

// Tenant is the tenant of the canonical door.
type Tenant struct {
	ID            string   `yaml:"id" env:"TENANT_ID" default:"dev" doc:"Name of the tenant: lower-case letters, digits and dashes, 63 at most."`
	AllowedMounts []string `yaml:"allowed_mounts" env:"TENANT_ALLOWED_MOUNTS" default:"secret" doc:"Mounts the tenant may use, compared exactly. An empty list allows nothing."`
	Salt          Secret   `yaml:"salt" env:"TENANT_SALT,SECRET_TENANT_SALT" doc:"Key of resource references. Without one Coffer makes 32 random bytes and keeps them sealed."`
}

// Audit says where records go.
type Audit struct {
	File        string `yaml:"file" doc:"File that records are appended to, one JSON object a line. coffer dev keeps it in its data directory."`
	Required    bool   `yaml:"required" default:"true" doc:"Refuse to start without an audit file. prod cannot turn it off."`
	Ring        int    `yaml:"ring" env:"SECRETS_AUDIT_RING" default:"1000" min:"1" max:"1000000" doc:"Latest records kept in memory for the audit endpoint."`
	SampleEvery int    `yaml:"sample_cache_hit_n" env:"AUDIT_SAMPLE_CACHE_HIT_N" default:"1" min:"1" doc:"Of the permitted reads under a remembered grant, one in so many is recorded."`
}

// Events bounds the event log.
type Events struct {
	Retention time.Duration `yaml:"retention" default:"168h" min:"1h" doc:"Age after which an event may go."`
	MaxEvents int64         `yaml:"max_events" default:"1000000" min:"1000" doc:"Events kept for each tenant."`
}

// Limits bounds the work in hand.
type Limits struct {
	Requests  int `yaml:"requests" default:"256" min:"1" doc:"Requests in work at once; more are answered 429."`
	PageLimit int `yaml:"page_limit" env:"SECRETS_PAGE_LIMIT" default:"100" min:"1" max:"1000" doc:"Items on a page of a listing or search that names no limit."`
}

// Kafka is the bus.
type Kafka struct {
	Brokers     []string  `yaml:"brokers" doc:"Addresses of the brokers, host:port. Kafka is off without them."`
	TopicPrefix string    `yaml:"topic_prefix" default:"crud" doc:"Events go to the topic <prefix>.secrets, audit records to <prefix>.secrets.audit."`
	UseTLS      bool      `yaml:"use_tls" doc:"Call the brokers over TLS."`
	TLS         ClientTLS `yaml:"tls" doc:"TLS towards the brokers; needs use_tls."`
	DevListen   string    `yaml:"dev_listen" default:"off" dev:"127.0.0.1:9092" doc:"Loopback address of the in-process broker of coffer dev; off without one, or when brokers are given."`
}

// YAMLVault is the YAML back end.
type YAMLVault struct {
	Path string `yaml:"path" doc:"The file. In dev and test ./dev_secrets.yaml without one; elsewhere the back end is off without one, and read-only."`
}

// Log is the log.
type Log struct {
	Level string `yaml:"level" default:"info" oneof:"debug info warn error" doc:"Least severe level that is written."`
}

// Tracing is where traces go.
type Tracing struct {
	Endpoint string `yaml:"endpoint" doc:"OTLP over HTTP endpoint, such as http://localhost:4318."`
}
