package main

import (
	"github.com/spf13/cobra"
)

func newSecretRotate(s *secrets) *cobra.Command {
	var value valueFlags
	var when conditions
	cmd := &cobra.Command{
		Use: "rotate URI [-]", Short: "Write a new version as a rotation",
		Long: "Writes a value as put does; events and audit tell of a rotation.\n\n" + valueHelp,
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
			out, err := c.Rotate(cmd.Context(), uri, v, when.options(cmd)...)
			if err != nil {
				return err
			}
			return s.print(out, []string{"URI", "OLD", "NEW"},
				[]string{out.URI, versionText(out.OldVersion), versionText(out.NewVersion)})
		},
	}
	value.flags(cmd)
	when.flags(cmd)
	return cmd
}
