package daemon

import (
	"fmt"
	"os"
	"path/filepath"
)

// adminSocket is the socket in the data directory through which an operator on the
// same machine reaches the running process. Only the owner of the directory may.
const adminSocket = "admin.sock"

// maxSocketPath is how long the path of a Unix socket may be, with its end mark.
const maxSocketPath = 107

// AdminSocket names the admin socket of a data directory so that the system takes it:
// a path that is too long is shortened through the open directory. The name is good
// until release.
func AdminSocket(dir string) (path string, release func(), err error) {
	path = filepath.Join(dir, adminSocket)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, fmt.Errorf("open the data directory: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), adminSocket), func() { _ = d.Close() }, nil
}
