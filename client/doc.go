// Package client is the Go client of the canonical door. It owns the calls, their
// errors, and what a careful caller does beside them: escaping, one effect per
// mutation whatever the connection does, patience with a busy server, resuming a
// stream without losing events in silence. It does not own what an operation means;
// the document of package api/canonical says that. It knows nothing of the server.
//
//	c, err := client.New(client.Config{URL: "https://coffer.example.eu", Token: token})
//	…
//	got, err := c.Get(ctx, "coffer+kv2://secret/app/api#token")
//	if client.IsNotFound(err) { … }
//	password, _ := got.Value.Text()
//
// A value prints and logs as [redacted]. No error holds a value, a token or the URI
// of a secret.
package client
