package clients

import (
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
	"github.com/coffer-dev/coffer/test/vaultdouble"
)

// appRole is the credentials that the scripts log in with; policy app is theirs to write.
func appRole() []vaulttest.AppRole {
	return []vaulttest.AppRole{{RoleID: "role", SecretID: "secret", Token: vaulttest.Token{
		Policies: []string{"app"}, TTL: time.Hour, Renewable: true,
	}}}
}

func TestHVAC(t *testing.T) {
	python(t)
	d := vaultdouble.Open(t, vaultdouble.Options{AppRoles: appRole(), Tokens: map[string]vaulttest.Token{"poor": {}}})
	script(t, "hvac_rows.py", "COFFER_URL="+d.URL, "COFFER_TOKEN="+vaultdouble.RootToken)
}

// Row K40 and the states of row K43, as hvac shows them.
func TestHVACMeetsTrouble(t *testing.T) {
	python(t)
	d := vaultdouble.Open(t, vaultdouble.Options{})
	for name, turn := range map[string]func(bool){
		"sealed": d.Faults.Seal, "uninitialised": d.Faults.Uninitialise, "limited": d.Faults.RateLimit, "standby": d.Faults.Standby,
	} {
		t.Run(name, func(t *testing.T) {
			turn(true)
			defer turn(false)
			script(t, "hvac_trouble.py", "COFFER_URL="+d.URL, "COFFER_TOKEN="+vaultdouble.RootToken, "COFFER_STATE="+name)
		})
	}
}

// TestSDK reads by the SDK of the documented API, which knows the Vault protocol and no
// door.
func TestSDK(t *testing.T) {
	python(t)
	d := vaultdouble.Open(t, vaultdouble.Options{AppRoles: appRole(), Tokens: map[string]vaulttest.Token{"poor": {}}})
	script(t, "sdk_vault.py", "COFFER_URL="+d.URL, "COFFER_TOKEN="+vaultdouble.RootToken)
}
