package vaulttest_test

import (
	"fmt"
	"strings"
	"time"
)

// meta is the metadata of a key made at t0, with single members replaced.
func meta(replace ...string) string {
	body := fmt.Sprintf(`{"cas_required":false,"created_time":%q,"current_metadata_version":0,"current_version":0,`+
		`"custom_metadata":null,"delete_version_after":"0s","max_versions":0,"metadata_cas_required":false,`+
		`"oldest_version":0,"updated_time":%q,"versions":{}}`, t0, t0)
	for i := 0; i < len(replace); i += 2 {
		body = strings.Replace(body, replace[i], replace[i+1], 1)
	}
	return body
}

func metadataRows() []row {
	post := func(body string, status int, want string) call {
		return call{do: "POST secret/metadata/p", body: body, status: status, want: want}
	}
	get := func(replace ...string) call {
		return call{do: "GET secret/metadata/p", status: 200, want: data(meta(replace...))}
	}
	custom := func(value string) []string { return []string{`"custom_metadata":null`, `"custom_metadata":` + value} }
	at := func(n int) []string {
		return []string{`"current_metadata_version":0`, fmt.Sprintf(`"current_metadata_version":%d`, n)}
	}
	return append([]row{
		{"K24_read_metadata", []call{
			put("secret/data/p", `{}`, 1),
			{do: "DELETE secret/data/p", wait: 10 * time.Second, status: 204},
			get(`"current_version":0`, `"current_version":1`, `"versions":{}`,
				fmt.Sprintf(`"versions":{"1":{"created_time":%q,"deletion_time":%q,"destroyed":false}}`, t0, t0s10)),
			{do: "GET secret/metadata/unknown", status: 404, want: notFoundBody},
		}},
		{"K25_write_metadata", []call{
			post(`{}`, 204, ""),
			{do: "GET secret/metadata/p", status: 404, want: notFoundBody},
			post(`{"custom_metadata":{"a":"1","b":"2"},"max_versions":"7","delete_version_after":"768h"}`, 204, ""),
			post(`{"custom_metadata":{"c":"3"}}`, 204, ""),
			get(append(append(custom(`{"c":"3"}`), at(2)...), `"delete_version_after":"0s"`, `"delete_version_after":"768h0m0s"`,
				`"max_versions":0`, `"max_versions":7`)...),
			post(`{"custom_metadata":null,"max_versions":0,"delete_version_after":0}`, 204, ""),
			get(at(3)...),
		}},
		{"K26_custom_metadata_limits", []call{
			post(`{"custom_metadata":{"k":""}}`, 400, errs(multi("custom_metadata validation failed: a value must be 1 to 512 bytes"))),
			post(`{"custom_metadata":{"k":null}}`, 400, errs(multi("custom_metadata validation failed: a value must be 1 to 512 bytes"))),
			post(`{"custom_metadata":{"k":"`+strings.Repeat("v", 513)+`"}}`, 400, errs(multi("custom_metadata validation failed: a value must be 1 to 512 bytes"))),
			post(`{"custom_metadata":{"`+strings.Repeat("k", 129)+`":"v"}}`, 400, errs(multi("custom_metadata validation failed: a key must be 1 to 128 bytes"))),
			post(`{"custom_metadata":{"k":"a\nb"}}`, 400, errs(multi("custom_metadata validation failed: keys and values must be printable"))),
			post(manyKeys(65), 400, errs(multi("custom_metadata validation failed: more than 64 keys"))),
			post(`{"custom_metadata":{"k":{"m":1}}}`, 400, errs(`Field validation failed: error converting input for field "custom_metadata"`)),
			post(`{"delete_version_after":"-1s"}`, 400, errs(multi("delete_version_after must not be negative"))),
			{do: "GET secret/metadata/p", status: 404, want: notFoundBody},
			post(`{"custom_metadata":{"n":5,"t":true}}`, 204, ""),
			get(append(custom(`{"n":"5","t":"1"}`), at(1)...)...),
		}},
		{"K27_cas_required_of_the_mount", []call{
			{do: "POST secret/config", body: `{"cas_required":true}`, status: 204},
			post(`{"cas_required":false}`, 200, full("null",
				`["\"cas_required\" set to false, but is mandated by backend config. This value will be ignored."]`, "null")),
			{do: "POST secret/data/p", body: `{"data":{}}`, status: 400, want: errs("check-and-set parameter required for this call")},
		}},
		{"K28_metadata_cas", []call{
			post(`{"max_versions":1,"metadata_cas":1}`, 400, errs("metadata_cas must be 0 when creating new metadata")),
			post(`{"max_versions":1,"metadata_cas":0,"metadata_cas_required":true}`, 204, ""),
			post(`{"max_versions":2,"metadata_cas":0}`, 400, errs("metadata check-and-set parameter does not match the current version")),
			post(`{"max_versions":2}`, 400, errs("metadata check-and-set parameter required for this call")),
			post(`{"max_versions":2,"metadata_cas":1}`, 204, ""),
		}},
		{"K29_patch_metadata", []call{
			patchCall("secret/metadata/p", `{"custom_metadata":{"a":"1"}}`, 404, ""),
			patchCall("secret/metadata/p", `{}`, 404, ""),
			post(`{"custom_metadata":{"a":"1","b":"2"}}`, 204, ""),
			patchCall("secret/metadata/p", `{"custom_metadata":{"a":null,"c":"3"},"max_versions":4}`, 204, ""),
			patchCall("secret/metadata/p", `{}`, 204, ""),
			get(append(append(custom(`{"b":"2","c":"3"}`), at(2)...), `"max_versions":0`, `"max_versions":4`)...),
			patchCall("secret/metadata/p", `{"custom_metadata":null}`, 204, ""),
			get(append(at(3), `"max_versions":0`, `"max_versions":4`)...),
		}},
		{"K36_config", []call{
			{do: "GET secret/config", status: 200, want: data(`{"cas_required":false,"delete_version_after":"0s","max_versions":0,"metadata_cas_required":false}`)},
			{do: "POST secret/config", body: `{"max_versions":5,"delete_version_after":"30s"}`, status: 204},
			{do: "GET secret/config", status: 200, want: data(`{"cas_required":false,"delete_version_after":"30s","max_versions":5,"metadata_cas_required":false}`)},
		}},
		{"K44_mount", []call{
			{do: "GET sys/internal/ui/mounts/secret/app/api", status: 200, want: top(`"path":"secret/"`)},
			{do: "GET sys/internal/ui/mounts/other", status: 403, want: errs(
				"preflight capability check returned 403, please ensure client's policies grant access to path \"other/\"")},
		}},
	}, listRows()...)
}

// top is the answer about the mount: its members stand at top level and in data.
func top(path string) string {
	members := `"accessor":"kv_secret","config":{"default_lease_ttl":0,"force_no_cache":false,"max_lease_ttl":0},"description":"",` +
		`"external_entropy_access":false,"local":false,"options":{"version":"2"},` + path + `,"plugin_version":"",` +
		`"running_plugin_version":"","running_sha256":"","seal_wrap":false,"type":"kv","uuid":""`
	return "{" + members + "," + strings.TrimPrefix(data("{"+members+"}"), "{")
}

func manyKeys(n int) string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf(`"k%d":"v"`, i))
	}
	return `{"custom_metadata":{` + strings.Join(pairs, ",") + `}}`
}

func listRows() []row {
	keys := func(list string) string { return data(`{"keys":` + list + `}`) }
	tree := []call{
		put("secret/data/a/b", `{}`, 1), put("secret/data/a/b/c", `{}`, 1), put("secret/data/a/d", `{}`, 1),
		{do: "DELETE secret/data/a/d", status: 204},
		{do: "POST secret/metadata/a/e", body: `{"max_versions":1}`, status: 204},
	}
	leaf := meta(`"current_version":0`, `"current_version":1`, `"versions":{}`,
		fmt.Sprintf(`"versions":{"1":{"created_time":%q,"deletion_time":"","destroyed":false}}`, t0))
	return []row{
		{"K31_list", append(tree,
			call{do: "LIST secret/metadata/a", status: 200, want: keys(`["b","b/","d","e"]`)},
			call{do: "GET secret/metadata/a?list=true", status: 200, want: keys(`["b","b/","d","e"]`)},
			call{do: "GET secret/metadata/a?list=True", status: 200, want: keys(`["b","b/","d","e"]`)},
			call{do: "LIST secret/metadata", status: 200, want: keys(`["a/"]`)},
			call{do: "LIST secret/metadata/a?after=b&limit=2", status: 200, want: keys(`["b/","d"]`)},
			call{do: "LIST secret/metadata/a?limit=x", status: 400, want: errs(`Field validation failed: error converting input for field "limit"`)},
		)},
		{"K32_list_of_nothing", append(tree,
			call{do: "LIST secret/metadata/none", status: 404, want: notFoundBody},
			call{do: "LIST secret/metadata/a/d", status: 404, want: notFoundBody},
		)},
		{"K33_scan", append(tree,
			call{do: "SCAN secret/metadata/a", status: 200, want: keys(`["b","b/c","d","e"]`)},
			call{do: "GET secret/metadata?scan=true", status: 200, want: keys(`["a/b","a/b/c","a/d","a/e"]`)},
			call{do: "SCAN secret/metadata/none", status: 200, want: data(`{}`)},
		)},
		{"K34_detailed", []call{
			put("secret/data/a/b", `{}`, 1), put("secret/data/a/c/d", `{}`, 1),
			{do: "LIST secret/detailed-metadata/a", status: 200, want: data(`{"key_info":{"b":` + leaf + `,"c/":{}},"keys":["b","c/"]}`)},
			{do: "LIST secret/detailed-metadata/none", status: 404, want: notFoundBody},
		}},
	}
}
