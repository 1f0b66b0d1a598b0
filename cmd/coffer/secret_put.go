package main

import (
	"github.com/spf13/cobra"
)

func newSecretPut(s *secrets) *cobra.Command {
	var value valueFlags
	var when conditions
	cmd := &cobra.Command{
		Use: "put URI [-]", Short: "Write a value",
		Long: "Writes a value: under the fragment of the URI, leaving its siblings, or as the\nwhole object without one.\n\n" + valueHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			uri := fullURI(args[0])
			v, err := value.read(cmd, s.con, uri)
			if err != nil {
				return err
			}
			out, err := c.Put(cmd.Context(), uri, v, when.options(cmd)...)
			if err != nil {
				return err
			}
			return s.print(out, []string{"URI", "VERSION"}, []string{out.URI, versionText(out.Version)})
		},
	}
	value.flags(cmd)
	when.flags(cmd)
	return cmd
}
