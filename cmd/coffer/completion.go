package main

import (
	"github.com/spf13/cobra"
)

func newCompletion(con console) *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish", Short: "Print a shell completion script",
		Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(con.out, true)
			case "zsh":
				return root.GenZshCompletion(con.out)
			default:
				return root.GenFishCompletion(con.out, true)
			}
		},
	}
}
