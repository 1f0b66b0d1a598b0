package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// doors are the names that listeners may give a door.
const doors = "canonical"

// checker reports each setting once: a value that could not be read is not
// reported again for what it then lacks.
type checker struct{ problems *Problems }

func (k checker) wrong(path, format string, args ...any) {
	if !k.problems.at(path) {
		k.problems.add(path, 0, format, args...)
	}
}

// check holds the whole against the rules of its mode.
func (c *Config) check(problems *Problems) {
	k := checker{problems}
	c.checkListeners(k)
	c.checkTenant(k)
	c.checkKeys(k)
	c.checkIdentity(k)
	c.checkPolicy(k)
	c.checkProviders(k)
	c.checkKafka(k)
	k.pair("ledger.tls", c.Ledger.TLS.CertFile, c.Ledger.TLS.KeyFile)
	k.web("external_url", c.ExternalURL)
	k.web("tracing.endpoint", c.Tracing.Endpoint)
	for i, e := range c.Ledger.Endpoints {
		k.web(element("ledger.endpoints", i), e)
	}
	if c.Mode == Serve {
		c.checkServe(k)
	}
	if c.Production() {
		c.checkProduction(k)
	}
}

func (c *Config) checkListeners(k checker) {
	c.listener(k, "listen", c.Listen)
	k.serverTLS("tls", c.TLS)
	taken := map[string]string{c.Listen: "listen"}
	owner := map[string]string{}
	for i, l := range c.Listeners {
		path := element("listeners", i)
		c.listener(k, path+".address", l.Address)
		k.serverTLS(path+".tls", l.TLS)
		if first, ok := taken[l.Address]; ok {
			k.wrong(path+".address", "is the address of %s too; give each listener its own", first)
		}
		taken[l.Address] = path
		if len(l.Doors) == 0 {
			k.wrong(path+".doors", "names no door; give at least one of: %s", doors)
		}
		for _, d := range l.Doors {
			switch first, ok := owner[d]; {
			case !slices.Contains(strings.Fields(doors), d):
				k.wrong(path+".doors", "names an unknown door; the doors are: %s", doors)
			case ok:
				k.wrong(path+".doors", "names a door that %s has already", first)
			}
			owner[d] = path
		}
	}
}

// listener checks an address; coffer dev stays on loopback, because it runs without
// authentication and with a well-known issuer.
func (c *Config) listener(k checker, path, address string) {
	host, _, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		k.wrong(path, "must be an address such as 127.0.0.1:8091")
	case c.Mode == Dev && !loopback(host):
		k.wrong(path, "must be a loopback address such as 127.0.0.1:8091; to be reached from elsewhere run coffer serve")
	}
}

func (c *Config) checkTenant(k checker) {
	if !isTenant(c.Tenant.ID) {
		k.wrong("tenant.id", "must be 1 to 63 lower-case letters, digits and dashes, and begin with a letter or digit (TENANT_ID)")
	}
	for i, m := range c.Tenant.AllowedMounts {
		if m == "" || strings.ContainsAny(m, "/%*+#?\\ ") || m == "." || strings.Contains(m, "..") {
			k.wrong(element("tenant.allowed_mounts", i), "must be the name of one mount, without slashes or wildcards")
		}
	}
	k.given("secrets.audience", c.Secrets.Audience)
	for _, name := range sortedKeys(c.Secrets.PurposeMap) {
		path := join("secrets.purpose_map", name)
		if !slices.Contains([]string{"read", "value", "copy"}, name) {
			k.wrong(path, "is no operation with a choice; the operations are read, value and copy")
		}
		if p := c.Secrets.PurposeMap[name]; p != "read" && p != "execute" {
			k.wrong(path, "must be read or execute")
		}
	}
}

func (c *Config) checkKeys(k checker) {
	k.keySource("kek.active", c.KEK.Active)
	for i, s := range c.KEK.Previous {
		path := element("kek.previous", i)
		if s.IsZero() {
			k.wrong(path, "names no key; set its file or kms_socket, or remove it")
		}
		if s == c.KEK.Active {
			k.wrong(path, "is the active key; remove it")
		}
		k.keySource(path, s)
	}
}

func (k checker) keySource(path string, s KeySource) {
	if s.File != "" && s.KMSSocket != "" {
		k.wrong(path, "has both a file and a kms_socket; keep one")
	}
}

func (c *Config) checkKafka(k checker) {
	k.pair("kafka.tls", c.Kafka.TLS.CertFile, c.Kafka.TLS.KeyFile)
	if c.Kafka.TLS != (ClientTLS{}) && !c.Kafka.UseTLS {
		k.wrong("kafka.use_tls", "must be true when kafka.tls is set")
	}
	for i, b := range c.Kafka.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			k.wrong(element("kafka.brokers", i), "must be an address such as kafka:9092")
		}
	}
	k.given("kafka.topic_prefix", c.Kafka.TopicPrefix)
	if c.Kafka.DevListen == "off" {
		return
	}
	host, _, err := net.SplitHostPort(c.Kafka.DevListen)
	switch {
	case c.Mode != Dev:
		k.wrong("kafka.dev_listen", "is for coffer dev alone; set kafka.brokers and remove it")
	case err != nil || !loopback(host):
		k.wrong("kafka.dev_listen", "must be a loopback address such as 127.0.0.1:9092, or off")
	}
}

// serverTLS refuses a certificate without a key and client authorities without
// either: the listener would be plain where TLS was meant.
func (k checker) serverTLS(path string, t ServerTLS) {
	k.pair(path, t.CertFile, t.KeyFile)
	if t.ClientCAFile != "" && t.CertFile == "" {
		k.wrong(path+".cert_file", "is missing though client_ca_file is set; set cert_file and key_file")
	}
}

func (k checker) pair(path, cert, key string) {
	switch {
	case cert != "" && key == "":
		k.wrong(path+".key_file", "is missing though cert_file is set; set both or none")
	case cert == "" && key != "":
		k.wrong(path+".cert_file", "is missing though key_file is set; set both or none")
	}
}

// web checks an absolute URL of a server. User information is refused: it would be
// a credential where nobody expects one.
func (k checker) web(path, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		k.wrong(path, "must be an absolute URL such as https://example.org")
		return
	}
	if u.User != nil {
		k.wrong(path, "must not hold a user name or password")
	}
}

func (k checker) given(path, text string) {
	if text == "" {
		k.wrong(path, "must not be empty")
	}
}

// loopback says whether a host is this machine alone. An empty host means all
// interfaces.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// loopbackURL says whether a URL leads to this machine.
func loopbackURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && loopback(u.Hostname())
}

func isTenant(id string) bool {
	if id == "" || len(id) > 63 || id[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return !lowerAlnum(r) && r != '-' })
}

func lowerAlnum(r rune) bool { return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' }

// element is the path of one element of a list.
func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
