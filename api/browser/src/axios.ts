// For axios: the same tokens, the same one refresh and the same one retry as `client.fetch`.

import type { AxiosError, AxiosInstance, AxiosRequestConfig, InternalAxiosRequestConfig } from 'axios';
import type { Client, Pass } from './types.js';

/** What was noted of a call; it stays with its configuration when that is sent again. */
type Noted = AxiosRequestConfig & { portcullis?: Pass & { isRetry?: boolean } };

const responseOf = ({ response }: AxiosError) => {
  const { data, status, headers } = response!;
  const text = typeof data === 'string' ? data : JSON.stringify(data ?? null);
  const challenge = headers['www-authenticate'];
  return new Response(text, { status, headers: challenge ? { 'www-authenticate': String(challenge) } : {} });
};

/** Adds the interceptors to an instance; returns what takes them off again. */
export const attach = (axios: AxiosInstance, client: Client): (() => void) => {
  const onRequest = async (config: InternalAxiosRequestConfig & Noted) => {
    const { portcullis: before } = config;
    if (config.headers.has('authorization') && !before) return config;
    const pass = await client.authorize(axios.getUri(config), config.method);
    if (!pass) return config;
    for (const [name, value] of Object.entries(pass.headers)) config.headers.set(name, value);
    config.withCredentials ??= !('authorization' in pass.headers);
    config.portcullis = { ...pass, isRetry: !!before };
    return config;
  };
  const onRefusal = async (error: AxiosError) => {
    const { config, response } = error as AxiosError & { config?: Noted };
    const pass = config?.portcullis;
    const isStream = typeof (config?.data as ReadableStream)?.getReader === 'function' || typeof (config?.data as { pipe?: unknown })?.pipe === 'function';
    if (!config || !response || !pass || pass.isRetry) throw error;
    const outcome = await client.mend(pass, responseOf(error));
    if (outcome === true && !isStream) return axios(config);
    if (typeof outcome === 'object') await refuse(error, outcome);
    throw error;
  };
  const request = axios.interceptors.request.use(onRequest);
  const answer = axios.interceptors.response.use(undefined, onRefusal);
  return () => {
    axios.interceptors.request.eject(request);
    axios.interceptors.response.eject(answer);
  };
};

/** Nobody could say whether the session lives: that, not the dead token, is what the caller hears. */
const refuse = async (error: AxiosError, outcome: Response) => {
  const text = await outcome.text();
  const { status, statusText } = outcome;
  error.status = status;
  error.message = `Request failed with status code ${status}`;
  Object.assign(error.response!, { status, statusText, data: parsed(text) });
  for (const [name, value] of outcome.headers) error.response!.headers[name] = value;
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
