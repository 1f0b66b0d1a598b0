package main

import (
	"github.com/spf13/cobra"
)

func newSecretDestroy(s *secrets) *cobra.Command {
	var numbers []int64
	var all bool
	var when conditions
	cmd := &cobra.Command{
		Use: "destroy URI --versions N[,N] | --all", Short: "Erase versions, or a secret with everything, for good", Args: cobra.ExactArgs(1),
		Long: "Erases the data of versions, or with --all the secret, its metadata and all versions.\nNothing brings them back.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			if all {
				out, err := c.Destroy(cmd.Context(), fullURI(args[0]), when.options(cmd)...)
				if err != nil {
					return err
				}
				return s.print(out, []string{"URI", "DESTROYED"}, []string{out.URI, "yes"})
			}
			out, err := c.DestroyVersions(cmd.Context(), fullURI(args[0]), numbers, when.options(cmd)...)
			if err != nil {
				return err
			}
			return s.printVersions(out)
		},
	}
	cmd.Flags().Int64SliceVar(&numbers, "versions", nil, "the versions")
	cmd.Flags().BoolVar(&all, "all", false, "the whole secret")
	cmd.MarkFlagsMutuallyExclusive("versions", "all")
	cmd.MarkFlagsOneRequired("versions", "all")
	when.flags(cmd)
	return cmd
}
