<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page import="java.security.*, javax.crypto.*, javax.crypto.spec.*, java.util.*" %><%
Cipher c = Cipher.getInstance("AES/GCM/NoPadding");
c.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(new byte[16], "AES"), new GCMParameterSpec(128, new byte[12]));
out.println(Base64.getEncoder().encodeToString(c.doFinal("lamp".getBytes())));
KeyPairGenerator g = KeyPairGenerator.getInstance("EC"); g.initialize(256);
Signature s = Signature.getInstance("SHA256withECDSA"); s.initSign(g.generateKeyPair().getPrivate()); s.update(new byte[3]);
out.println(s.sign().length > 60);
javax.net.ssl.TrustManagerFactory t = javax.net.ssl.TrustManagerFactory.getInstance("PKIX"); t.init((KeyStore) null);
out.println(((javax.net.ssl.X509TrustManager) t.getTrustManagers()[0]).getAcceptedIssuers().length);
out.println(javax.net.ssl.SSLContext.getDefault().getSupportedSSLParameters().getProtocols().length);
%>
