package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/internal/config"
)

func newConfig(con console) *cobra.Command {
	return group("config", "Check the configuration or print its reference", newConfigCheck(con), newConfigReference(con))
}

func newConfigCheck(con console) *cobra.Command {
	var file, mode string
	cmd := &cobra.Command{
		Use: "check", Short: "Report everything that is wrong with the configuration", Args: cobra.NoArgs,
		Long: "Reads the file and the environment as a start would and reports every problem at once. Nothing is opened or changed.",
		RunE: func(*cobra.Command, []string) error {
			if _, err := config.Load(config.Options{File: file, Env: con.env, Mode: config.Mode(mode)}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(con.out, "the configuration is complete for coffer %s\n", mode)
			return err
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file; without one the environment alone")
	cmd.Flags().StringVar(&mode, "mode", string(config.Serve), "check for coffer serve or coffer dev")
	return cmd
}

func newConfigReference(con console) *cobra.Command {
	return &cobra.Command{
		Use: "reference", Short: "Print a configuration file that explains every setting", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(con.out, config.Reference())
			return err
		},
	}
}
