package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coffer-dev/coffer/internal/config"
)

// serverTLS is nil for plain HTTP.
func serverTLS(c config.ServerTLS) (*tls.Config, error) {
	if c.CertFile == "" {
		return nil, nil //nolint:nilnil // no TLS is an answer
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if c.ClientCAFile != "" {
		if out.ClientCAs, err = pool(c.ClientCAFile); err != nil {
			return nil, err
		}
		out.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return out, nil
}

// clientTLS is nil when nothing is configured.
func clientTLS(c config.ClientTLS) (*tls.Config, error) {
	if c == (config.ClientTLS{}) {
		return nil, nil //nolint:nilnil // no TLS is an answer
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if c.CAFile != "" {
		if out.RootCAs, err = pool(c.CAFile); err != nil {
			return nil, err
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}

func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		return nil, errors.New("the file of certificate authorities holds none")
	}
	return p, nil
}

// tlsListener speaks HTTP/2 and HTTP/1.1 over TLS.
func tlsListener(l net.Listener, c *tls.Config) net.Listener {
	c.NextProtos = []string{"h2", "http/1.1"}
	return tls.NewListener(l, c)
}
