package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/client"
)

func newSecretPut(s *secrets) *cobra.Command {
	cmd := &cobra.Command{
		Use: "put URI [-]", Short: "Write a value",
		Long: "Writes a value: under the fragment of the URI, leaving its siblings, or as the\nwhole object without one.\n\n" + valueHelp,
	}
	return writing(s, cmd, (*client.Client).Put, []string{"URI", "VERSION"}, func(out canonical.WriteResponse) []string {
		return []string{out.URI, versionText(out.Version)}
	})
}

// writing completes a verb that writes a value; row shows its answer in the columns.
func writing[R any](
	s *secrets, cmd *cobra.Command,
	act func(*client.Client, context.Context, string, client.Value, ...client.Option) (R, error),
	columns []string, row func(R) []string,
) *cobra.Command {
	var value valueFlags
	var when conditions
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		uri := fullURI(args[0])
		v, err := value.read(cmd, s.con, uri)
		if err != nil {
			return err
		}
		out, err := act(c, cmd.Context(), uri, v, when.options(cmd)...)
		if err != nil {
			return err
		}
		return s.print(out, columns, row(out))
	}
	value.flags(cmd)
	when.flags(cmd)
	return cmd
}
