package storetest

func machineCases() []conformance { return nil }
