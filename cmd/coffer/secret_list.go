package main

import (
	"errors"
	"iter"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/client"
)

func newSecretList(s *secrets) *cobra.Command {
	return &cobra.Command{
		Use: "list PREFIX", Short: "List the secrets below a prefix", Args: cobra.ExactArgs(1),
		Long: "Lists the secrets below a prefix, such as secret or secret/app, never their values.\nA prefix names whole segments: secret/app does not list secret/apple.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			found, err := collect(c.List(cmd.Context(), fullURI(args[0])))
			if err != nil {
				return err
			}
			rows := [][]string{{"URI"}}
			for _, item := range found.Items {
				rows = append(rows, []string{item.URI})
			}
			return s.printFound(found, rows)
		},
	}
}

// hits are all pages of a listing or search.
type hits struct {
	Items     []canonical.Item `json:"items"`
	Truncated bool             `json:"truncated"`
}

func collect(items iter.Seq2[canonical.Item, error]) (hits, error) {
	out := hits{Items: []canonical.Item{}}
	for item, err := range items {
		switch {
		case errors.Is(err, client.ErrTruncated):
			out.Truncated = true
		case err != nil:
			return hits{}, err
		default:
			out.Items = append(out.Items, item)
		}
	}
	return out, nil
}

// printFound prints hits; that some are missing is an error behind what there is.
func (s *secrets) printFound(found hits, rows [][]string) error {
	if err := s.print(found, rows...); err != nil {
		return err
	}
	if found.Truncated {
		return client.ErrTruncated
	}
	return nil
}
