package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/daemon"
	"github.com/coffer-dev/coffer/internal/identity/devissuer"
)

func newDev(con console) *cobra.Command {
	var file, listen, dir, kafka string
	cmd := &cobra.Command{
		Use: "dev", Short: "Run Coffer for development, everything embedded", Args: cobra.NoArgs,
		Long: "Runs Coffer on a loopback address with everything embedded, creates what is missing in the data directory, and prints tokens and commands to try.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			flags := map[string]string{}
			for name, setting := range map[string]string{"listen": "listen", "data-dir": "data_dir", "kafka": "kafka.dev_listen"} {
				if f := cmd.Flags().Lookup(name); f.Changed {
					flags[setting] = f.Value.String()
				}
			}
			cfg, err := config.Load(config.Options{File: file, Env: con.env, Mode: config.Dev, Flags: flags})
			if err != nil {
				return err
			}
			return runDaemon(cmd.Context(), con, cfg, func(d *daemon.Daemon) error { return greet(con.out, d) })
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8091", "loopback address to listen on")
	cmd.Flags().StringVar(&dir, "data-dir", "./.coffer", "directory of everything that is kept")
	cmd.Flags().StringVar(&kafka, "kafka", "127.0.0.1:9092", "loopback address of the in-process Kafka broker, or off")
	cmd.Flags().StringVar(&file, "config", "", "configuration file that overlays any setting")
	return cmd
}

// devTokenLife is how long the printed tokens are good for.
const devTokenLife = 24 * time.Hour

// greet prints where Coffer listens, ready-made tokens and three commands that work
// when pasted.
func greet(out io.Writer, d *daemon.Daemon) error {
	token := func(subject string, roles ...string) (string, error) {
		return d.Issuer().Mint(devissuer.Claims{
			Subject: subject, Name: subject, Groups: []string{"dev"}, Roles: roles, TTL: devTokenLife,
			Scopes: []string{
				"secrets.read", "secrets.write", "secrets.delete", "secrets.destroy", "secrets.rotate",
				"secrets.read_metadata", "secrets.set_owner",
			},
		})
	}
	user, err := token("alice")
	if err != nil {
		return err
	}
	admin, err := token("admin", "admin")
	if err != nil {
		return err
	}
	url := d.URL()
	_, err = fmt.Fprintf(out, `Coffer listens on %[1]s

Tokens (group dev, %[2]s):
  export COFFER_TOKEN=%[3]s
  export COFFER_ADMIN_TOKEN=%[4]s

Write a secret, read its first version, and see the change as an event:
  curl -sS -X POST '%[1]s/api/secrets' -H 'Authorization: Bearer %[3]s' -H 'Content-Type: application/json' -d '{"uri":"coffer+kv2://secret/app/api","value":{"token":"hello"}}'
  curl -sS '%[1]s/api/secrets/value?uri=coffer%%2Bkv2://secret/app/api&version=1' -H 'Authorization: Bearer %[3]s'
  curl -sN --max-time 2 '%[1]s/api/secrets/events' -H 'Authorization: Bearer %[3]s' -H 'Last-Event-ID: 0' | head -n 20
`, url, devTokenLife, user, admin)
	return err
}
