package main

import (
	"github.com/spf13/cobra"
)

func newSecretDelete(s *secrets) *cobra.Command {
	var when conditions
	cmd := &cobra.Command{
		Use: "delete URI", Short: "Delete the latest version so that it can be brought back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			out, err := c.Delete(cmd.Context(), fullURI(args[0]), when.options(cmd)...)
			if err != nil {
				return err
			}
			return s.print(out, []string{"URI", "DESTROYED"}, []string{out.URI, "no"})
		},
	}
	when.flags(cmd)
	return cmd
}
