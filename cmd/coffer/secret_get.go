package main

import (
	"bytes"
	"encoding/json"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/coffer-dev/coffer/client"
)

func newSecretGet(s *secrets) *cobra.Command {
	var number int64
	cmd := &cobra.Command{
		Use: "get URI", Short: "Print a value and nothing else", Args: cobra.ExactArgs(1),
		Long: "Prints what the fragment of the URI names, or the whole object. A text is printed\nas it is, without a line feed where the output is no terminal; other values, and\nall values with --output json, are printed as JSON.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			var opts []client.ReadOption
			if cmd.Flags().Changed("version") {
				opts = append(opts, client.AtVersion(number))
			}
			got, err := c.Get(cmd.Context(), fullURI(args[0]), opts...)
			if err != nil {
				return err
			}
			_, err = s.con.out.Write(s.render(got.Value))
			return err
		},
	}
	cmd.Flags().Int64Var(&number, "version", 0, "this version instead of the latest")
	return cmd
}

// render gives the bytes that get prints.
func (s *secrets) render(v client.Value) []byte {
	if s.output == machine {
		return append(bytes.Clone(v.Reveal()), '\n')
	}
	if text, ok := v.Text(); ok {
		if f, ok := s.con.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			text += "\n"
		}
		return []byte(text)
	}
	var out bytes.Buffer
	if json.Indent(&out, v.Reveal(), "", "  ") != nil {
		return v.Reveal() // it came as JSON, so this does not happen
	}
	out.WriteByte('\n')
	return out.Bytes()
}
