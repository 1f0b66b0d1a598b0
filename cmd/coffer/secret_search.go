package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/client"
)

func newSecretSearch(s *secrets) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use: "search TEXT", Short: "Find secrets by name and metadata", Args: cobra.ExactArgs(1),
		Long: "Finds secrets whose path, member names, owner or custom metadata hold a text, in any\ncase. Values are never searched.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			q := client.Query{Text: args[0]}
			if prefix != "" {
				q.Prefix = fullURI(prefix)
			}
			found, err := collect(c.Search(cmd.Context(), q))
			if err != nil {
				return err
			}
			rows := [][]string{{"URI", "MATCHED", "KEYS"}}
			for _, item := range found.Items {
				rows = append(rows, []string{item.URI, strings.Join(item.Matched, ","), strings.Join(item.Keys, ",")})
			}
			return s.printFound(found, rows)
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only below this URI; otherwise in every allowed mount")
	return cmd
}
