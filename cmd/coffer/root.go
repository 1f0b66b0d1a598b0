package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // the verb was understood and did not succeed
	exitUsage   = 2 // the command line was not understood
)

// verbs are the commands in the order of the help: a new verb is one line here and
// one file beside this one.
func verbs(con console) []*cobra.Command {
	return []*cobra.Command{
		newDev(con),
		newServe(con),
		newSecret(con),
		newToken(con),
		newKeyring(con),
		newConfig(con),
		newCompletion(con),
		newVersion(con),
	}
}

// failure marks an error of a verb that ran, against one of its command line.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// errUsage refuses a command line that names a group of verbs and none of them.
var errUsage = errors.New("a command is missing")

// run is the process without its globals.
func run(ctx context.Context, args []string, con console) int {
	root := group("coffer", "Secrets, sealed, versioned and audited", verbs(con)...)
	root.SetArgs(args)
	root.SetIn(con.in)
	root.SetOut(con.out)
	root.SetErr(con.err)
	err := root.ExecuteContext(ctx)
	var failed failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &failed) && !errors.Is(err, errUsage):
		_, _ = fmt.Fprintf(con.err, "coffer: %s\n", err)
		return exitFailure
	}
	_, _ = fmt.Fprintf(con.err, "coffer: %s\nRun 'coffer help' for the commands and 'coffer help <command>' for one.\n", err)
	return exitUsage
}

// group is a command that only holds others.
func group(name, short string, members ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short,
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error { return errUsage },
	}
	for _, m := range members {
		if act := m.RunE; act != nil {
			m.RunE = func(c *cobra.Command, args []string) error {
				if err := act(c, args); err != nil {
					return failure{err}
				}
				return nil
			}
		}
		cmd.AddCommand(m)
	}
	return cmd
}
