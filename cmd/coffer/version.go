package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// version is stamped by the linker (make build); a plain go build says devel.
var version = "devel"

func newVersion(con console) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(con.out, "coffer %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
