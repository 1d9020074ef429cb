// An EMP folder as its user guide describes one, with what people write by hand: comments, odd spacing, options commented out.

/** Texts by name; lines end in \n here, and in \r\n where a test makes them so. */
export const empTexts: Readonly<Record<string, string>> = {
  "_metadata.json": `{
  "PackageId" : "Acme_1234",
  "Icon": "acme.ico", "Name": "Acme Billing",
  "Version": "2.1", "Publisher": "Acme", "AWSProfileName": "emp", "Later": { "kept": [1, 2] }
}
`,
  "AppRegistry.xml": `<?xml version="1.0" encoding="utf-8"?>
<RegistryOperations xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" NeedToBeDecoded="true" ValidateWrite="false">
  <Write>
    <KeyName>HKEY_CURRENT_USER\\Software\\AWSEMP\\Compatibility.Package\\%GUID%\\HKLM\\SOFTWARE\\Acme\\Billing</KeyName>
    <ValueName>DataDir</ValueName>    <!-- empty = default value -->
    <Value ValueType="ExpandString">%ProgramFilesX86%\\Acme\\data</Value>
  </Write>
  <Write>
    <KeyName>HKEY_CURRENT_USER\\Software\\AWSEMP\\Compatibility.Package|%GUID%\\HKCU\\Acme</KeyName>
    <ValueName/>
    <Value ValueType="DWord">1</Value>
  </Write>
  <Delete><KeyName>unknown to us</KeyName></Delete>
</RegistryOperations>
`,
  "Redirections.xml": `<!-- the root element is not known -->
<FileSystem>
  <ExactMatch> <From>%SystemX86%\\tool.msc</From> <To>ProgData\\Windows\\SysWOW64\\tool.msc</To> </ExactMatch>
  <FolderMatch><From>%ProgramFiles%\\Acme</From>  <To>ProgData\\Program Files\\Acme</To>       </FolderMatch>
  <FolderMatch><From>D:\\</From>                  <To>ProgData</To>                          </FolderMatch>
</FileSystem>
<KeyMatch><From>HKLM\\SOFTWARE\\Acme</From></KeyMatch>   <!-- no To: the virtual hive -->
`,
  "Programs.xml": `<Programs><Program>
  <RunCondition>run1</RunCondition>
  <ProcessWindowStyle>Normal</ProcessWindowStyle>            <!-- Normal | Hidden -->
  <Path>%DefaultDir%\\Compatibility.Package.Engine.exe</Path>
  <Args>/f "%DefaultDir%\\ProgData\\Program Files\\Acme\\acme.exe" %FILEARGS%</Args>
  <WorkingDirectory/>
  <WaitCondition TimeoutInSeconds="0">None</WaitCondition>   <!-- None | Exit; 0 = wait for ever -->
</Program>
<Program Odd='yes'><RunCondition>run5</RunCondition><Path>%DefaultDir%\\Compatibility.Package.Engine.exe</Path>
<Args>/f "%DefaultDir%\\ProgData\\Program Files\\Acme\\service.exe" -n "two words"</Args></Program></Programs>
`,
  "Services.xml": `<Services><Service>
  <Name>AcmeSvc</Name>
  <ImagePath>%DefaultDir%\\Compatibility.Package.Run.exe /RunConditions run5</ImagePath>
  <Description>Bills &amp; more</Description><DisplayName>Acme</DisplayName>
  <Startup>Automatic</Startup><StartOnDeploy>true</StartOnDeploy>
  <LogOnAs><Username>NT AUTHORITY\\NetworkService</Username></LogOnAs>
  <Timeout>300000</Timeout>                                   <!-- ms -->
</Service></Services>
`,
  "Shortcuts.xml": `<Shortcuts><Shortcut>
  <Path>%CommonPrograms%\\Acme\\Acme.lnk</Path>
  <Target>%DefaultDir%\\Compatibility.Package.Run.exe</Target><Args>/RunConditions run1</Args>
  <Description/><IconLocation>acme.ico</IconLocation><IconIndex>0</IconIndex><WorkingDir/>
</Shortcut></Shortcuts>
`,
  "FileAssociation.xml": `<RegistryOperations NeedToBeDecoded="true">
  <Write><KeyName>HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\.acm</KeyName><ValueName></ValueName>
    <Value ValueType="String">AcmeFile_Acme_1234</Value></Write>
  <Write><KeyName>HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\AcmeFile_Acme_1234\\shell\\open\\command</KeyName><ValueName></ValueName>
    <Value ValueType="String">"%DefaultDir%\\Compatibility.Package.Run.exe" /RunConditions run1 "%1"</Value></Write>
</RegistryOperations>
`,
  "EnvironmentVariables.xml": `<Variables><Variable Name="Path" Append="true" IsEncoded="false" Value="C:\\Acme\\bin\\"/>
<Variable   Name = 'ACME_HOME' Value = 'C:\\Acme' /></Variables>
`,
  "DeploymentScript.xml": `<Deployment>
  <Install><Programs>
    <Program Order="0" PreInstall="true">                     <!-- PreInstall | PostInstall (default) -->
      <ProcessWindowStyle>Hidden</ProcessWindowStyle>
      <Path>Powershell.exe</Path><Args>"%DefaultDir%\\users.ps1"</Args>
      <WorkingDirectory>%DefaultDir%</WorkingDirectory>
      <WaitCondition TimeoutInSeconds="0">Exit</WaitCondition>
    </Program></Programs>
    <Program Order="1"><Path>%DefaultDir%\\ProgData\\Program Files\\Acme\\setup.exe</Path></Program>
  </Install>
  <Uninstall><Programs/></Uninstall>
</Deployment>
`,
  "ComDeployment.xml": `<COM Enabled="true"><OutOfProcServers><OutOfProcServer><Path>%DefaultDir%\\ProgData\\Program Files\\Acme\\com.exe</Path></OutOfProcServer></OutOfProcServers></COM>
`,
  "Compatibility.Package.Engine.clc": `<AAV PackageId="Acme_1234" Log="off" LogPath="C:\\Temp">
  <Includes><Include>Redirections.xml</Include>
            <Include>..\\OtherPackage\\Redirections.xml</Include></Includes>   <!-- package linking -->
  <Excludes><Exclude>Excel.exe</Exclude></Excludes>       <!-- child not virtualized -->
  <!-- <Detaches><Detach>Worker.exe</Detach></Detaches> -->
  <COM><CLSID ID="{1}" Excludes="false"><Registration ConnectionType="MultiUse"/></CLSID>
       <CLSID ID="{2}" Excluded="true"/></COM>
  <Features><Feature>NetworkRedirection</Feature><Feature>COMVirtualization</Feature></Features>
  <Network ThisComputer="legacy_name">
    <DomainName><From>old-db</From><To>new-db</To></DomainName>
  </Network>
  <Connect><From><IP>192.168.2.1</IP><Port>13000</Port></From><To><IP>127.0.0.1</IP><Port>12000</Port></To></Connect>
  <ForceWindowsVersion><MajorVersion>5</MajorVersion><MinorVersion>2</MinorVersion><BuildNumber>3790</BuildNumber>
    <ProductType>Server</ProductType><ServicePackText/><ServicePackMajor/><ServicePackMinor/></ForceWindowsVersion>
  <FileMappingExclusions><FileMappingExclusion>Global\\name</FileMappingExclusion></FileMappingExclusions>
</AAV>
`,
  "Report.json": `[ {"Level":"Warn","Category":"COM+","Message":"roles are not carried over"} ]
`,
};

export function empFiles(texts: Readonly<Record<string, string>> = empTexts): Map<string, Uint8Array> {
  return new Map(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));
}
