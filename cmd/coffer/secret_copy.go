package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/client"
)

func newSecretCopy(s *secrets) *cobra.Command {
	cmd := &cobra.Command{
		Use: "copy FROM TO", Short: "Copy a value, also between back ends",
		Long: "Copies a value. FROM may name one version, as in secret/app/api?version=2.",
	}
	return s.transfer(cmd, (*client.Client).Copy)
}

// transfer completes a verb that carries a value from one URI to another.
func (s *secrets) transfer(cmd *cobra.Command, act func(*client.Client, context.Context, canonical.TransferRequest, ...client.Option) (canonical.TransferResponse, error)) *cobra.Command {
	var overwrite bool
	var when conditions
	cmd.Args = cobra.ExactArgs(2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		in := canonical.TransferRequest{FromURI: fullURI(args[0]), ToURI: fullURI(args[1]), Overwrite: overwrite}
		out, err := act(c, cmd.Context(), in, when.options(cmd)...)
		if err != nil {
			return err
		}
		return s.print(out, []string{"FROM", "TO", "VERSION"}, []string{out.FromURI, out.ToURI, versionText(out.Version)})
	}
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "the target may exist")
	when.flags(cmd)
	return cmd
}
