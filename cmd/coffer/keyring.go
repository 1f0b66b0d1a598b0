package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/internal/daemon"
)

func newKeyring(con console) *cobra.Command {
	var dir string
	verb := func(use, short, method string, args cobra.PositionalArgs, path func([]string) string) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, a []string) error {
			return askOperator(cmd.Context(), con.out, dir, method, path(a))
		}}
	}
	fixed := func(path string) func([]string) string { return func([]string) string { return path } }
	cmd := group("keyring", "Look after the keys that seal the records",
		verb("status", "Show the data keys and count stale records", http.MethodGet, cobra.NoArgs, fixed("/keyring")),
		verb("rotate", "Begin to seal under a new data key", http.MethodPost, cobra.NoArgs, fixed("/keyring/rotate")),
		verb("rewrap", "Wrap the keyring under the active key encryption key", http.MethodPost, cobra.NoArgs, fixed("/keyring/rewrap")),
		verb("retire NUMBER", "Withdraw a data key that seals no record any more", http.MethodPost, cobra.ExactArgs(1),
			func(a []string) string { return "/keyring/retire/" + a[0] }),
	)
	cmd.PersistentFlags().StringVar(&dir, "data-dir", "./.coffer", "data directory of the running Coffer")
	return cmd
}

// askOperator speaks to the running process over its admin socket and prints the answer.
func askOperator(ctx context.Context, out io.Writer, dir, method, path string) error {
	socket, release, err := daemon.AdminSocket(dir)
	if err != nil {
		return err
	}
	defer release()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://coffer"+path, nil)
	if err != nil {
		return fmt.Errorf("build request: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return errors.New("no running Coffer answers in " + dir)
	}
	defer func() { _ = res.Body.Close() }()
	var body any
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		if m, ok := body.(map[string]any); ok {
			return fmt.Errorf("%v", m["error"])
		}
		return errors.New("refused")
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(body)
}
