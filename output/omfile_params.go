package output

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// OMFileModule are the parameters of module(load="builtin:omfile"): the defaults
// of every omfile action.
type OMFileModule struct {
	Template    string         `conf:"template" doc:"Default template of omfile actions." status:"full"`
	AddLF       conf.Opt[bool] `conf:"addlf" doc:"Default of addLF." status:"full"`
	Driver      string         `conf:"compression.driver,enum=zlib|zstd" default:"zlib" doc:"What zipLevel compresses with: zlib, which is gzip, or zstd." status:"full"`
	ZstdWorkers int            `conf:"compression.zstd.workers" doc:"Threads of zstd; it has one, and writes are compressed one after the other." status:"none"`
	FileOwnership
	PermitEscape   bool           `conf:"dynafile.dangerouspermitpathescape" doc:"Default of dynafile.dangerousPermitPathEscape." status:"full"`
	DoNotSuspend   bool           `conf:"dynafile.donotsuspend" default:"on" doc:"Set aside the messages of a dynamic file that may not be written, instead of suspending the action." status:"full"`
	RestrictTypes  bool           `conf:"dynafile.restricttemplatetype" doc:"Accepted; templates of every type may name dynamic files." status:"none"`
	FollowSymlinks conf.Opt[bool] `conf:"followsymlinks" doc:"Default of followSymlinks." status:"full"`
}

// FileOwnership says how files and directories are created.
type FileOwnership struct {
	FileMode     conf.Opt[int] `conf:"filecreatemode,type=mode" doc:"Mode of new files, less the umask; default 0644." status:"full"`
	DirMode      conf.Opt[int] `conf:"dircreatemode,type=mode" doc:"Mode of new directories, less the umask; default 0700." status:"full"`
	FileOwner    conf.Opt[int] `conf:"fileowner,type=uid" doc:"Owner of new files." status:"full"`
	FileOwnerNum conf.Opt[int] `conf:"fileownernum" doc:"Owner of new files, as a number." status:"full"`
	FileGroup    conf.Opt[int] `conf:"filegroup,type=gid" doc:"Group of new files." status:"full"`
	FileGroupNum conf.Opt[int] `conf:"filegroupnum" doc:"Group of new files, as a number." status:"full"`
	DirOwner     conf.Opt[int] `conf:"dirowner,type=uid" doc:"Owner of new directories." status:"full"`
	DirOwnerNum  conf.Opt[int] `conf:"dirownernum" doc:"Owner of new directories, as a number." status:"full"`
	DirGroup     conf.Opt[int] `conf:"dirgroup,type=gid" doc:"Group of new directories." status:"full"`
	DirGroupNum  conf.Opt[int] `conf:"dirgroupnum" doc:"Group of new directories, as a number." status:"full"`
}

// OMFileParams are the parameters of action(type="omfile").
type OMFileParams struct {
	File     string `conf:"file" doc:"File to write." status:"full"`
	DynaFile string `conf:"dynafile" doc:"Template that gives the name of the file." status:"full"`
	Template string `conf:"template" doc:"Template of what is written; default RSYSLOG_FileFormat." status:"full"`
	FileOwnership
	FailOnChown    bool           `conf:"failonchownfailure" default:"on" doc:"A new file or directory whose owner cannot be set is an error." status:"full"`
	CreateDirs     bool           `conf:"createdirs" default:"on" doc:"Create missing directories." status:"full"`
	Sync           bool           `conf:"sync" doc:"Have every batch on the disk (fdatasync) before it counts as written." status:"full"`
	AddLF          conf.Opt[bool] `conf:"addlf" doc:"End every message with a line feed if its template does not; default on." status:"full"`
	CacheSize      int            `conf:"dynafilecachesize" default:"512" doc:"Dynamic files open at the same time (rsyslog: 10)." status:"full"`
	CloseTimeout   conf.Opt[int]  `conf:"closetimeout" doc:"Minutes after which a file that is not written to is closed; default 10 for dynamic files, 0 (never) for others." status:"full"`
	ZipLevel       int            `conf:"ziplevel" doc:"Write gzip, 1 fast to 9 small, or with compression.driver=zstd zstd, 1 to 22; every write is a gzip member or zstd frame of its own. 0 writes plain text." status:"full"`
	VeryRobustZip  bool           `conf:"veryrobustzip" doc:"Accepted; the file is always readable up to the last write." status:"full"`
	FlushOnTXEnd   bool           `conf:"flushontxend" default:"on" doc:"Write at the end of every batch; off: when ioBufferSize is full or flushInterval is over." status:"full"`
	IOBufferSize   int64          `conf:"iobuffersize,type=size" default:"4k" doc:"Bytes to gather with flushOnTXEnd=off. Batches are otherwise written whole." status:"full"`
	FlushInterval  int            `conf:"flushinterval" default:"1" doc:"Seconds after which gathered messages are written." status:"full"`
	AsyncWriting   bool           `conf:"asyncwriting" doc:"Writing has no thread of its own; with an action queue (queue.type) it is asynchronous." status:"partial"`
	FollowSymlinks conf.Opt[bool] `conf:"followsymlinks" doc:"off: refuse a file that is a symbolic link; default on. Below the constant part of a dynamic file's name links are never followed." status:"full"`
	PermitEscape   bool           `conf:"dynafile.dangerouspermitpathescape" doc:"Let messages choose any file: '..' and links are followed." status:"full"`
	SizeLimit      int64          `conf:"rotation.sizelimit,type=size" doc:"Bytes at which rotation.sizeLimitCommand is run; 0 is never." status:"full"`
	SizeCommand    string         `conf:"rotation.sizelimitcommand" doc:"Program, with blank-separated arguments, that moves the file away." status:"full"`
	SizePassName   bool           `conf:"rotation.sizelimitcommandpassfilename" doc:"Give the program the file's name as its last argument." status:"full"`
	OMFileRotation
	AppendOnly  bool   `conf:"appendonly" doc:"Own: keep the file append-only (chattr +a) while it is current; rotation inside the daemon lifts that. Needs CAP_LINUX_IMMUTABLE; without it there is one warning." status:"full"`
	SigProvider string `conf:"sig.provider" doc:"Signature provider." status:"none"`
	CryProvider string `conf:"cry.provider" doc:"Encryption provider." status:"none"`
}

// fileSpec is what omfile's parameters come to: how one file is opened and
// written.
type fileSpec struct {
	fileMode, dirMode                      int
	fileOwner, fileGroup, dirUID, dirGroup int // -1: leave as it is
	failOnChown, createDirs                bool
	follow                                 bool // follow a symbolic link at the end of a static name
	addLF, sync, appendOnly                bool
	zip                                    int
	zipDriver                              string
	limit                                  int64     // bytes at which the file is rotated
	rotation                               *rotation // nil: not inside the daemon
	location                               *time.Location
	warnOnce                               *sync.Once
	command                                string
	passName                               bool
}

func newFileSpec(m OMFileModule, p OMFileParams, loc *time.Location) (fileSpec, error) {
	f, d := p.FileOwnership, m.FileOwnership
	id := func(given ...conf.Opt[int]) int { return first(-1, given...) }
	r, err := newRotation(&p.OMFileRotation, loc)
	if err != nil {
		return fileSpec{}, err
	}
	s := fileSpec{
		fileMode:    first(0o644, f.FileMode, d.FileMode),
		dirMode:     first(0o700, f.DirMode, d.DirMode),
		fileOwner:   id(f.FileOwner, f.FileOwnerNum, d.FileOwner, d.FileOwnerNum),
		fileGroup:   id(f.FileGroup, f.FileGroupNum, d.FileGroup, d.FileGroupNum),
		dirUID:      id(f.DirOwner, f.DirOwnerNum, d.DirOwner, d.DirOwnerNum),
		dirGroup:    id(f.DirGroup, f.DirGroupNum, d.DirGroup, d.DirGroupNum),
		failOnChown: p.FailOnChown,
		createDirs:  p.CreateDirs,
		follow:      first(true, p.FollowSymlinks, m.FollowSymlinks),
		addLF:       first(true, p.AddLF, m.AddLF),
		sync:        p.Sync,
		zip:         p.ZipLevel,
		limit:       p.SizeLimit,
		command:     p.SizeCommand,
		passName:    p.SizePassName,
		appendOnly:  p.AppendOnly,
		zipDriver:   m.Driver,
		rotation:    r,
		location:    loc,
		warnOnce:    new(sync.Once),
	}
	if r != nil {
		s.limit = r.size
	}
	return s, nil
}

// first returns the first parameter that was given.
func first[T any](otherwise T, given ...conf.Opt[T]) T {
	for _, g := range given {
		if g.Given {
			return g.Value
		}
	}
	return otherwise
}

func (p OMFileParams) check(m OMFileModule) error {
	switch {
	case (p.File == "") == (p.DynaFile == ""):
		return errors.New("omfile needs either file or dynafile")
	case p.ZipLevel < 0 || p.ZipLevel > 22 || p.ZipLevel > 9 && m.Driver != "zstd":
		return fmt.Errorf("zipLevel %d is not between 0 and 9, with compression.driver=zstd 22", p.ZipLevel)
	case p.SizeLimit > 0 && p.SizeCommand == "":
		return errors.New("rotation.sizeLimit needs rotation.sizeLimitCommand")
	case p.SizeLimit > 0 && p.wanted():
		return errors.New("rotation.sizeLimit has a command rotate the file, rotation.size and rotation.interval have the daemon do it: use one of them")
	case p.AppendOnly && p.ZipLevel > 0:
		return errors.New("appendOnly and zipLevel exclude each other: how far a compressed file is whole is written down in an attribute, which an append-only file does not take")
	case p.ZipLevel > 0 && p.Compress != "" && p.Compress != "none":
		return errors.New("rotation.compress and zipLevel exclude each other: the file is compressed already")
	case p.SigProvider != "" || p.CryProvider != "":
		return errors.New("sig.provider and cry.provider are not supported; the file would be unprotected")
	}
	return nil
}

// template looks up the template an action renders with: its own, its module's,
// the built-in default.
func (d Deps) template(names ...string) (message.Template, error) {
	for _, name := range names {
		if name == "" {
			continue
		}
		if t, ok := d.Template(name); ok {
			return t, nil
		}
		return nil, fmt.Errorf("there is no template %q", name)
	}
	return nil, errors.New("no template named")
}
