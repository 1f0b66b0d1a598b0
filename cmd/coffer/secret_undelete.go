package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/api/canonical"
)

func newSecretUndelete(s *secrets) *cobra.Command {
	var numbers []int64
	var when conditions
	cmd := &cobra.Command{
		Use: "undelete URI --versions N[,N]", Short: "Make deleted versions readable again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			out, err := c.Undelete(cmd.Context(), fullURI(args[0]), numbers, when.options(cmd)...)
			if err != nil {
				return err
			}
			return s.printVersions(out)
		},
	}
	cmd.Flags().Int64SliceVar(&numbers, "versions", nil, "the versions (required)")
	_ = cmd.MarkFlagRequired("versions")
	when.once(cmd)
	return cmd
}

// printVersions shows which versions were dealt with and which were not.
func (s *secrets) printVersions(out canonical.VersionsResponse) error {
	return s.print(out, []string{"URI", "VERSIONS", "IGNORED"}, []string{out.URI, numbersText(out.Versions), numbersText(out.Ignored)})
}

func numbersText(numbers []int64) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.FormatInt(n, 10)
	}
	if len(texts) == 0 {
		return "-"
	}
	return strings.Join(texts, ",")
}
