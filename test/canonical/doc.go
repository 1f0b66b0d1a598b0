// Package canonical holds the acceptance cases of the canonical door and of the run
// contract. It builds the program once, starts it as a user would, and looks at
// nothing but its answers, its output and its files. It owns no rule: what the cases
// say is the contract's.
package canonical
