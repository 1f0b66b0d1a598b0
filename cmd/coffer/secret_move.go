package main

import (
	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/client"
)

func newSecretMove(s *secrets) *cobra.Command {
	cmd := &cobra.Command{
		Use: "move FROM TO", Short: "Copy a value, then delete its source",
		Long: "Copies a value and then deletes its source softly. A fragment is moved alone.",
	}
	return s.transfer(cmd, (*client.Client).Move)
}
