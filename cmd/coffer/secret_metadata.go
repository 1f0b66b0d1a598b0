package main

import (
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

func newSecretMetadata(s *secrets) *cobra.Command {
	return &cobra.Command{
		Use: "metadata URI", Short: "Show what is known of a secret beside its values", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			out, err := c.Detail(cmd.Context(), fullURI(args[0]))
			if err != nil {
				return err
			}
			rows := [][]string{
				{"uri", out.URI},
				{"current version", strconv.FormatInt(out.CurrentVersion, 10)},
				{"oldest version", strconv.FormatInt(out.OldestVersion, 10)},
				{"versions kept", strconv.FormatInt(out.MaxVersions, 10)},
			}
			for _, name := range slices.Sorted(maps.Keys(out.CustomMetadata)) {
				rows = append(rows, []string{name, out.CustomMetadata[name]})
			}
			return s.print(out, rows...)
		},
	}
}
