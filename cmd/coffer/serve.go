package main

import (
	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/daemon"
)

func newServe(con console) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "serve", Short: "Run Coffer in production", Args: cobra.NoArgs,
		Long: "Runs Coffer with a configuration file. It refuses to start on a missing security setting and says which, and how to set it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(config.Options{File: file, Env: con.env, Mode: config.Serve})
			if err != nil {
				return err
			}
			return runDaemon(cmd.Context(), con, cfg, func(*daemon.Daemon) error { return nil })
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file; without one the environment alone")
	return cmd
}
