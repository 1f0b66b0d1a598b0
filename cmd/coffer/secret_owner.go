package main

import (
	"github.com/spf13/cobra"
)

func newSecretOwner(s *secrets) *cobra.Command {
	var when conditions
	cmd := &cobra.Command{
		Use: "owner URI OWNER", Short: "Set the owner of a secret", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			out, err := c.SetOwner(cmd.Context(), fullURI(args[0]), args[1], when.options(cmd)...)
			if err != nil {
				return err
			}
			return s.print(out, []string{"URI", "OWNER"}, []string{out.URI, out.Owner})
		},
	}
	when.once(cmd)
	return cmd
}
