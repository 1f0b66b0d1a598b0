package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/api/canonical"
)

func newSecretVersions(s *secrets) *cobra.Command {
	return &cobra.Command{
		Use: "versions URI", Short: "List the versions of a secret", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			out, err := c.Versions(cmd.Context(), fullURI(args[0]))
			if err != nil {
				return err
			}
			return s.print(out, versionRows(out.Versions)...)
		},
	}
}

func versionRows(versions []canonical.Version) [][]string {
	rows := [][]string{{"VERSION", "CREATED", "DELETED", "DESTROYED"}}
	for _, v := range versions {
		deleted, destroyed := "-", "no"
		if v.DeletionTime != "" {
			deleted = v.DeletionTime
		}
		if v.Destroyed {
			destroyed = "yes"
		}
		rows = append(rows, []string{strconv.FormatInt(v.Version, 10), v.CreatedTime, deleted, destroyed})
	}
	return rows
}
