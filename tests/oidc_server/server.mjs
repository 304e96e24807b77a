// An OpenID provider on a port of loopback: `node server.mjs PORT REDIRECT_URI`. Says "ready" when it listens.
// Any login name is an account. A name such as `ana+vertice-admins@example.org` is in the groups after its `+`.
import { generateKeyPair, exportJWK } from 'jose';
import Provider from 'oidc-provider';

const [port, redirectUri] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const jwks = { keys: [] };
for (const alg of ['RS256', 'ES256', 'PS256', 'EdDSA']) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  jwks.keys.push({ ...(await exportJWK(privateKey)), alg, kid: `${alg}-1`, use: 'sig' });
}

const groups = (login) => (login.match(/\+([^@]*)@/)?.[1] ?? '').split(',').filter(Boolean);

const client = (id, alg, extra) => ({
  client_id: id,
  redirect_uris: [redirectUri],
  response_types: ['code'],
  grant_types: ['authorization_code'],
  id_token_signed_response_alg: alg,
  ...extra,
});
const open = { token_endpoint_auth_method: 'none' };
const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };

const provider = new Provider(issuer, {
  jwks,
  clients: [
    client('console', 'RS256', open),
    client('console-es256', 'ES256', open),
    client('console-ps256', 'PS256', open),
    client('console-eddsa', 'EdDSA', open),
    client('console-secret', 'RS256', { client_secret: 'a secret: with %, / and +' }),
    client('console-post', 'RS256', { client_secret: 'posted', token_endpoint_auth_method: 'client_secret_post' }),
    client('robot', 'RS256', { client_secret: 'robot', ...machine }),
  ],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'email', 'groups'],
  // As the standard has it: what a scope asks for is at the userinfo endpoint, not in the ID token.
  conformIdTokenClaims: true,
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'PS256', 'EdDSA'] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `Name of ${id}`, email: id, email_verified: true, groups: groups(id) }),
  }),
  extraTokenClaims: () => ({ groups: ['vertice-reviewers'] }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, audience) => ({
        audience,
        scope: 'read write decide admin',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
