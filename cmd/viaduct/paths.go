package main

import "path/filepath"

// workDir is the folder to change to after binding, "" for none.
func (c *Config) workDir() string {
	if c.WorkDir == "" && (!c.Foreground || c.Chroot != "") {
		return "/"
	}
	return c.WorkDir
}

// hostWorkDir is where WorkDir is now, "" for none: a relative one counts from the new root in a
// chroot, else from where we are.
func (c *Config) hostWorkDir() string {
	switch {
	case c.entered && c.Chroot != "": // the root is another one
		return c.workDir()
	case c.home != "" && c.WorkDir != "" && !filepath.IsAbs(c.WorkDir):
		return filepath.Join(c.home, c.WorkDir)
	}
	if c.WorkDir == "" || c.Chroot == "" {
		return c.WorkDir
	}
	return filepath.Join(c.Chroot, c.WorkDir)
}

// hostPath is where a path that will be used after chroot and chdir is now; "" stays "".
func (c *Config) hostPath(path string) string {
	if path == "" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.workDir(), path)
	}
	if c.Chroot == "" {
		return path
	}
	return filepath.Join(c.Chroot, filepath.Join("/", path)) // the inner Join keeps .. inside
}
