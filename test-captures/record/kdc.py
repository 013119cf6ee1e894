# A Kerberos realm of MIT's own programs, for the GSSAPI scenarios: its KDC, principals and keytabs.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything lives in the folder of the run, and is found through the environment (KRB5_CONFIG and others).

The KDC listens in the network namespace of the run. It speaks UDP only, and the captures take TCP only: what it says is
in none of them.
"""

import os
import re
import shutil
import subprocess
import time

import zmq

import network

REALM = "ZMTP.TEST"
SERVICE = "zmtp/server.zmtp.test"
CLIENTS = ("alice", "bob", "carol")
PORT = 8888
PRINCIPAL = 2  # ZMQ_GSSAPI_NT_KRB5_PRINCIPAL
TIMEOUT = 15

CLIENT_CONFIG = """
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_uri_lookup = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 32000
 allow_weak_crypto = true
 allow_rc4 = true
 allow_des3 = true
 permitted_enctypes = {types}
 default_tkt_enctypes = {types}
 default_tgs_enctypes = {types}
 default_etypes = {types}
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 .zmtp.test = {realm}
"""

KDC_CONFIG = """
[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = ""
[realms]
 {realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
  master_key_type = {first}
  supported_enctypes = {keys}
 }}
[logging]
 kdc = FILE:{folder}/kdc.log
 default = FILE:{folder}/kdc.log
"""


def available():
    """Whether libzmq can do GSSAPI, and MIT's KDC and tools are here."""
    return zmq.has("gssapi") and all(map(find, ("krb5kdc", "kdb5_util", "kadmin.local", "kinit", "klist")))


def available_with_python():
    """The same for raw peers, which need Python's binding of GSSAPI."""
    try:
        import gssapi.raw  # noqa: F401
    except ImportError:
        return False
    return available()


def libzmq_has_heimdal():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return "/libgssapi.so" in maps.read()


def find(program):
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")


class Realm:
    """keys: encryption types of the principals' keys; session: those that keys of sessions may have, best first."""

    def __init__(self, folder, keys="aes256-cts-hmac-sha1-96", session=None):
        self._folder = folder / "kerberos"
        self._folder.mkdir()
        # What libzmq and the KDC's clients use: libzmq wants both kinds of credentials, for clients too.
        self.keytab = self._folder / "all.keytab"
        # What one would give Wireshark.
        self.service_keytab = self._folder / "service.keytab"
        self._keytabs = []
        self._kdc = None
        self._configure(keys, session or keys)
        self._create(session)
        self._start()

    # Building and ending it

    def _configure(self, keys, session):
        words = {"realm": REALM, "port": PORT, "folder": self._folder, "first": keys.split()[0],
                 "keys": " ".join(f"{kind}:normal" for kind in keys.split()),
                 "types": " ".join(dict.fromkeys(f"{session} {keys}".split()))}
        for name, variable, template in (("krb5.conf", "KRB5_CONFIG", CLIENT_CONFIG),
                                         ("kdc.conf", "KRB5_KDC_PROFILE", KDC_CONFIG)):
            (self._folder / name).write_text(template.format(**words), encoding="ascii")
            os.environ[variable] = str(self._folder / name)
        (self._folder / "tickets").mkdir()
        os.environ.update({
            "KRB5_KTNAME": f"FILE:{self.keytab}",
            "KRB5_CLIENT_KTNAME": f"FILE:{self.keytab}",
            # A collection: one cache for each principal.
            "KRB5CCNAME": f"DIR:{self._folder}/tickets",
            "KRB5RCACHENAME": f"file2:{self._folder}/replays",
        })

    def _create(self, session):
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", os.urandom(16).hex())
        for name in (SERVICE, *CLIENTS):
            self.administer("add_principal", "-randkey", name)
        if session:
            self.administer("set_string", SERVICE, "session_enctypes", session)
        self.extract(self.keytab, SERVICE, *CLIENTS)
        self.extract(self.service_keytab, SERVICE)

    def _start(self):
        self._kdc = subprocess.Popen([find("krb5kdc"), "-n", "-r", REALM], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     env=network.plain_environment())
        deadline = time.monotonic() + TIMEOUT
        # Tickets for all of them now: a server on the far side of a link could not ask for its own.
        for name in (SERVICE, *CLIENTS):
            while not self.log_in(name):
                if time.monotonic() > deadline or self._kdc.poll() is not None:
                    raise RuntimeError("the KDC gives no tickets")
                time.sleep(0.02)

    def close(self):
        if self._kdc:
            self._kdc.kill()
            self._kdc.wait()
            self._kdc = None

    # Its tools

    @staticmethod
    def _run(program, *words):
        done = subprocess.run([find(program), *map(str, words)], stdin=subprocess.DEVNULL, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=network.plain_environment())
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}")
        return done.stdout

    def administer(self, *words):
        self._run("kadmin.local", "-r", REALM, *words)

    def log_in(self, name):
        done = subprocess.run([find("kinit"), "-k", "-t", self.keytab, name], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=network.plain_environment())
        return done.returncode == 0

    def extract(self, keytab, *names):
        """Add the keys that the KDC has now to a keytab."""
        self.administer("ktadd", "-norandkey", "-k", keytab, *names)
        if keytab not in self._keytabs:
            self._keytabs.append(keytab)

    def renew_service_key(self, *keytabs):
        """A new key at the KDC, which the server only gets with its keytab."""
        self.administer("change_password", "-randkey", SERVICE)
        if not keytabs:
            self.service_keytab.unlink()
        self.extract(self.service_keytab, SERVICE)
        for keytab in keytabs:
            self.extract(keytab, SERVICE)

    # For peers and results

    @staticmethod
    def server_options(principal=SERVICE):
        return {"GSSAPI_SERVER": 1, "GSSAPI_PRINCIPAL": principal.encode(), "GSSAPI_PRINCIPAL_NAMETYPE": PRINCIPAL}

    @staticmethod
    def client_options(principal=CLIENTS[0], service=SERVICE):
        return {"GSSAPI_PRINCIPAL": principal.encode(), "GSSAPI_PRINCIPAL_NAMETYPE": PRINCIPAL,
                "GSSAPI_SERVICE_PRINCIPAL": service.encode(), "GSSAPI_SERVICE_PRINCIPAL_NAMETYPE": PRINCIPAL}

    def secrets(self):
        """Every long-term key of the service and the clients, in hexadecimal."""
        return [key for keytab in self._keytabs if keytab.exists()
                for key in re.findall(r"\(0x([0-9a-f]+)\)", self._run("klist", "-k", "-e", "-K", keytab))]
