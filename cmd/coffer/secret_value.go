package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/coffer-dev/coffer/client"
)

// maxInput bounds a value that is read; the server's limit is 1 MiB.
const maxInput = 2 << 20

const valueHelp = `The value is one of
  --value JSON       any JSON
  --field name=text  an object of texts, a member per flag
  --file PATH        the content of a file
  -, or nothing      standard input, of which one line feed at the end is dropped;
                     a terminal is asked without echo
A file and standard input are text where the URI has a fragment, unless --json
says otherwise, and JSON where it has none. What stands on the command line can be
seen by other users of the machine.`

// valueFlags say where the value of a write comes from.
type valueFlags struct {
	value, file string
	fields      []string
	json        bool
}

func (v *valueFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.value, "value", "", "the value as JSON")
	cmd.Flags().StringArrayVar(&v.fields, "field", nil, "a member of the value, name=text; repeatable")
	cmd.Flags().StringVar(&v.file, "file", "", "file that holds the value")
	cmd.Flags().BoolVar(&v.json, "json", false, "file or standard input is JSON though the URI has a fragment")
	cmd.MarkFlagsMutuallyExclusive("value", "field", "file")
	cmd.Args = cobra.RangeArgs(1, 2)
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error { return v.check(cmd, args) }
}

// check refuses a command line that names no source or two.
func (v *valueFlags) check(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return nil
	}
	if args[1] != "-" {
		return errors.New("a value does not stand beside the URI: use - for standard input, --value, --field or --file")
	}
	for _, name := range []string{"value", "field", "file"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("- and --%s are two values", name)
		}
	}
	return nil
}

// read gives the value for a URI. Its errors repeat nothing of it.
func (v *valueFlags) read(cmd *cobra.Command, con console, uri string) (client.Value, error) {
	switch {
	case cmd.Flags().Changed("value"):
		return client.JSON([]byte(v.value))
	case cmd.Flags().Changed("field"):
		return v.object()
	}
	text, err := v.input(cmd, con)
	if err != nil {
		return client.Value{}, err
	}
	if v.json || !strings.Contains(uri, "#") {
		return client.JSON(text)
	}
	return client.Text(string(text)), nil
}

func (v *valueFlags) object() (client.Value, error) {
	var out bytes.Buffer
	seen := map[string]bool{}
	for i, field := range v.fields {
		name, text, ok := strings.Cut(field, "=")
		if !ok || name == "" || seen[name] {
			return client.Value{}, fmt.Errorf("the %d. --field is not a new name=text", i+1)
		}
		seen[name] = true
		out.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		out.Write(client.Text(name).Reveal())
		out.WriteByte(':')
		out.Write(client.Text(text).Reveal())
	}
	out.WriteByte('}')
	return client.JSON(out.Bytes())
}

// input reads the file or standard input.
func (v *valueFlags) input(cmd *cobra.Command, con console) ([]byte, error) {
	if cmd.Flags().Changed("file") {
		f, err := os.Open(v.file)
		if err != nil {
			return nil, fmt.Errorf("read the value: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was read only
		return bounded(f)
	}
	if f, ok := con.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return ask(cmd.Context(), con, int(f.Fd()))
	}
	text, err := bounded(con.in)
	return bytes.TrimSuffix(text, []byte("\n")), err
}

// ask reads one line from a terminal without echo. An interrupt turns the echo on
// again; the read that it leaves behind ends with the process.
func ask(ctx context.Context, con console, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, fmt.Errorf("ask for the value: %w", err)
	}
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	_, _ = fmt.Fprint(con.err, "Value (not shown): ")
	defer fmt.Fprintln(con.err) //nolint:errcheck // it ends the line of the question
	go func() {
		text, err := term.ReadPassword(terminal)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
}

func bounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read the value: %w", err)
	}
	if len(text) > maxInput {
		return nil, errors.New("the value is too large")
	}
	return text, nil
}
