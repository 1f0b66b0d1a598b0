// Command coffer is the one binary of Coffer. This package owns its command line:
// one file per verb, flags and exit codes. What a verb does lives in the packages
// below internal.
package main
