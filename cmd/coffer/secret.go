package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/client"
)

func newSecret(con console) *cobra.Command {
	s := &secrets{con: con}
	cmd := group("secret", "Read and change secrets of a running Coffer",
		newSecretPut(s), newSecretGet(s), newSecretList(s), newSecretVersions(s), newSecretDelete(s),
		newSecretUndelete(s), newSecretDestroy(s), newSecretRotate(s), newSecretCopy(s), newSecretMove(s),
		newSecretSearch(s), newSecretMetadata(s), newSecretOwner(s),
	)
	cmd.Long = `Calls a running Coffer. A secret is named by its URI, such as
coffer+kv2://secret/app/api#token; without a scheme, as in secret/app/api#token,
it is one of the embedded engine. Quote it: # begins a comment in a shell.

The server is --address, else COFFER_ADDRESS, else ` + defaultAddress + `.
The token is --token, else COFFER_TOKEN, else the content of the file that
COFFER_TOKEN_FILE names.`
	f := cmd.PersistentFlags()
	f.StringVar(&s.address, "address", "", "URL of the server")
	f.StringVar(&s.token, "token", "", "bearer token; other users of the machine see it, COFFER_TOKEN_FILE keeps it to yourself")
	f.StringVarP(&s.output, "output", "o", human, "human or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{human, machine}, cobra.ShellCompDirectiveNoFileComp))
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains([]string{human, machine}, s.output) {
			return fmt.Errorf("--output is %s or %s", human, machine)
		}
		return nil
	}
	return cmd
}

const defaultAddress = "http://127.0.0.1:8091"

// Forms of output.
const (
	human   = "human"
	machine = "json"
)

// secrets is what the verbs on secrets share.
type secrets struct {
	con                    console
	address, token, output string
}

// client connects as the flags and the environment say.
func (s *secrets) client() (*client.Client, error) {
	cfg := client.Config{URL: s.or(s.address, "COFFER_ADDRESS", defaultAddress), UserAgent: "coffer/" + version}
	token := s.or(s.token, "COFFER_TOKEN", "")
	if file := s.or("", "COFFER_TOKEN_FILE", ""); token == "" && file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	if token != "" {
		cfg.Token = func(context.Context) (string, error) { return token, nil }
	}
	return client.New(cfg)
}

// or gives a flag, else a variable, else a default.
func (s *secrets) or(flag, variable, otherwise string) string {
	if flag != "" {
		return flag
	}
	if text, _ := s.con.env(variable); text != "" {
		return text
	}
	return otherwise
}

// fullURI completes the short form of a URI.
func fullURI(text string) string {
	if strings.Contains(text, "://") {
		return text
	}
	return "coffer+kv2://" + text
}

// conditions are the flags of a mutation.
type conditions struct {
	ifVersion int64
	key       string
}

func (c *conditions) flags(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&c.ifVersion, "if-version", -1, "only while this version is the current one; 0: while none exists")
	c.once(cmd)
}

func (c *conditions) once(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.key, "idempotency-key", "", "a name of this change, so that it happens once however often it is asked for")
}

func (c *conditions) options(cmd *cobra.Command) []client.Option {
	var out []client.Option
	if f := cmd.Flags().Lookup("if-version"); f != nil && f.Changed {
		out = append(out, client.IfVersion(c.ifVersion))
	}
	if c.key != "" {
		out = append(out, client.Once(c.key))
	}
	return out
}
